#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <string>
#include <vector>

#include "authentication.h"
#include "documents.h"
#include "knetsim/etcd/client.h"
#include "message.h"
#include "metrics.h"
#include "pod_streams.h"
#include "reader.h"
#include "target.h"
#include "writer.h"

namespace knetsim::apiserver {

/// From a request to its answer.
class Api {
 public:
  Api(boost::asio::any_io_executor executor, etcd::Client& client, Cache& cache, Writer& writer,
      const Authentication& authentication, boost::asio::ssl::context& kubelets, std::string address)
      : client_(&client),
        cache_(&cache),
        writer_(&writer),
        authentication_(&authentication),
        reader_(executor, cache),
        pod_streams_(std::move(executor), cache, kubelets),
        documents_(std::move(address)) {}

  /// Never throws: what goes wrong is answered with a Status.
  boost::asio::awaitable<Response> answer(const Request& request);
  /// Said to whoever comes when there are too many.
  static Response refused(int code, const std::string& message);

  /// How many connections there are, for the metrics.
  std::function<std::size_t()> connections = [] { return std::size_t{0}; };

 private:
  boost::asio::awaitable<Response> dispatch(const Request& request, std::string& verb, std::string& resource);
  boost::asio::awaitable<Response> at_target(const Target& target, const Request& request, std::string& verb);
  boost::asio::awaitable<Response> at_subresource(const Target& target, const Request& request);
  boost::asio::awaitable<std::optional<Response>> health(const std::vector<std::string>& words, const Request& request);

  etcd::Client* client_;
  Cache* cache_;
  Writer* writer_;
  const Authentication* authentication_;
  Reader reader_;
  PodStreams pod_streams_;
  Documents documents_;
  Metrics metrics_;
};

}  // namespace knetsim::apiserver
