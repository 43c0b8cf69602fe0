#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cache.h"
#include "message.h"
#include "target.h"

namespace knetsim::apiserver {

/// Where, and with which path, the kubelet of a pod's node is asked.
struct KubeletCall {
  std::string node;
  std::string target;  ///< "/exec/default/web/web?command=ls&output=1"
};

/// For a request for exec, attach, log or portforward of this pod; nullopt: of its log, and no node has it yet. Throws
/// ApiError.
std::optional<KubeletCall> kubelet_call(const nlohmann::json& pod, const Target& target, const Query& query);
/// Of a Node: its InternalIP and its kubelet's port. Throws ApiError if it has no address.
boost::asio::ip::tcp::endpoint kubelet_endpoint(const nlohmann::json& node);

/// exec, attach, log and portforward of pods: answered by the kubelets of their nodes.
class PodStreams {
 public:
  /// `kubelets`: as kubelet_client_context (tls.h).
  PodStreams(boost::asio::any_io_executor executor, Cache& cache, boost::asio::ssl::context& kubelets)
      : executor_(std::move(executor)), cache_(&cache), kubelets_(&kubelets) {}

  /// Throws ApiError, also if the kubelet can't be reached.
  boost::asio::awaitable<Response> open(const Target& target, const Request& request);

 private:
  boost::asio::any_io_executor executor_;
  Cache* cache_;
  boost::asio::ssl::context* kubelets_;
};

}  // namespace knetsim::apiserver
