#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>

#include "allocations.h"
#include "body.h"
#include "cache.h"
#include "event_stream.h"
#include "knetsim/kube/patch.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"
#include "message.h"
#include "store.h"
#include "target.h"

namespace knetsim::apiserver {

/// create, update, patch, delete, deletecollection, and the same of the subresources status, scale and finalize.
class Writer {
 public:
  Writer(const Cache& cache, Store& store, Allocations& allocations)
      : cache_(&cache), store_(&store), allocations_(&allocations) {}

  boost::asio::awaitable<Response> create(const Target& target, const Request& request);
  boost::asio::awaitable<Response> update(const Target& target, const Request& request);
  boost::asio::awaitable<Response> patch(const Target& target, const Request& request);
  boost::asio::awaitable<Response> remove(const Target& target, const Request& request);
  boost::asio::awaitable<Response> remove_collection(const Target& target, const Request& request);
  Response scale(const Target& target) const;
  /// Subresource binding: puts a pod on a node.
  boost::asio::awaitable<Response> bind(const Target& target, const Request& request);
  /// Subresource eviction: deletes a pod; nobody's budget is in the way, as there are none.
  boost::asio::awaitable<Response> evict(const Target& target, const Request& request);

  /// For what the server itself makes: as if a client had sent it. Nullopt if it is there already.
  boost::asio::awaitable<std::optional<nlohmann::json>> create_if_absent(const kube::Kind& kind, std::string ns,
                                                                         nlohmann::json object);

 private:
  struct Removal {
    kube::DeleteOptions options;
    std::string uid;  ///< precondition; empty: none
    std::string resource_version;
    bool dry = false;
    bool evicts = false;
  };

  void require_namespace(const Target& target, const std::string& name) const;
  /// Without an author, managedFields are those of the object.
  boost::asio::awaitable<Written> create(const kube::Kind& kind, const std::string& ns, nlohmann::json object, bool dry,
                                         std::optional<kube::Author> author);
  boost::asio::awaitable<Response> apply(const Target& target, const Request& request);
  boost::asio::awaitable<Response> apply_scale(const Target& target, const Request& request);
  boost::asio::awaitable<Response> apply_new(const Target& target, const Request& request, const nlohmann::json& config,
                                             const kube::Author& author);
  /// What replaces `old`, by the subresource that was written to.
  nlohmann::json prepared(const Target& target, const nlohmann::json& old, nlohmann::json sent,
                          const std::optional<kube::Author>& author) const;
  boost::asio::awaitable<Response> change(const Target& target, const Request& request,
                                          kube::FieldValidation validation,
                                          std::function<nlohmann::json(const nlohmann::json& old)> sent,
                                          std::optional<kube::Author> author);
  Removal removal_of(const Request& request) const;
  static Removal with_options(Removal removal, const SentDeleteOptions& options);
  boost::asio::awaitable<Written> remove(const kube::Kind& kind, const std::string& ns, const std::string& name,
                                         const Removal& removal, bool& gone);
  std::string new_uid();

  const Cache* cache_;
  Store* store_;
  Allocations* allocations_;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace knetsim::apiserver
