#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <memory>

#include "cache.h"
#include "event_stream.h"
#include "message.h"
#include "target.h"

namespace knetsim::apiserver {

/// get, list, watch: all of the cache.
class Reader {
 public:
  Reader(boost::asio::any_io_executor executor, Cache& cache) : executor_(std::move(executor)), cache_(&cache) {}

  Response get(const Target& target, const Request& request) const;
  /// Also watches, where the query says so.
  Response list(const Target& target, const Request& request) const;
  /// How many watches go on.
  std::size_t watches() const noexcept { return static_cast<std::size_t>(token_.use_count()) - 1; }

 private:
  Response watch(const Target& target, const Request& request) const;

  boost::asio::any_io_executor executor_;
  Cache* cache_;
  std::shared_ptr<const char> token_ = std::make_shared<const char>();
};

/// What labelSelector and fieldSelector say. Throws ApiError 400.
Selection selection_of(const Target& target, const Query& query);
View view_of(const Request& request);
/// One object as the client wants to see it.
Response shown(const kube::Kind& kind, const nlohmann::json& object, const View& view, unsigned status = 200);

}  // namespace knetsim::apiserver
