#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "knetsim/apiserver/watch.h"
#include "knetsim/netlink/monitor.h"
#include "measures.h"
#include "options.h"
#include "proxier.h"
#include "status_server.h"

namespace knetsim::kubeproxy {

/// kube-proxy: follows Services, EndpointSlices and this worker's Node, and keeps the worker's tables in step. Nothing
/// is written before all three have been read once. Everything happens in the thread that runs the context; while the
/// kernel is busy, changes wait in their sockets, and are written together.
class KubeProxy {
 public:
  /// Throws Error if a port is taken, InputError if the namespace isn't there.
  KubeProxy(boost::asio::io_context& context, DaemonOptions options);
  KubeProxy(KubeProxy&&) = delete;

 private:
  using json = nlohmann::json;

  apiserver::Informer follow(apiserver::Collection collection, std::function<void(const json*, const json*)> changed);
  void node_changed(const json* node);
  NodeFacts facts_of(const json* node) const;
  void queue();
  void sync();
  void succeeded(const Synced& synced, double seconds);
  void failed(const std::string& why);
  void watch_tables();
  template <typename Monitor>
  void whenever_readable(const Monitor& monitor, std::function<void()> act);
  void serve_health_checks();
  bool healthy() const;
  StatusAnswer health(const std::string& path);
  StatusAnswer metrics(const std::string& path) const;
  StatusAnswer health_check(const std::string& service) const;
  void complain(const std::string& object, const std::string& why);

  boost::asio::io_context* context_;
  DaemonOptions options_;
  NetNs netns_;
  Measures measures_;
  bool eligible_ = true;
  bool queued_ = false;
  bool first_ = true;
  double waiting_since_ = 0;  ///< for a write; 0: nothing waits
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::milliseconds pause_{0};
  boost::asio::steady_timer timer_;
  std::uint64_t services_seen_ = 0;
  std::uint64_t slices_seen_ = 0;
  std::vector<double> triggers_;  ///< when what is to be written was caused
  std::set<std::string> complaints_;
  std::string failure_;
  Proxier proxier_;
  std::optional<netlink::RulesetMonitor> monitor_;
  std::optional<netlink::Monitor> addresses_;
  std::vector<StatusServer> servers_;
  std::map<std::string, std::pair<std::uint16_t, std::vector<StatusServer>>> health_checks_;
  // They end first.
  apiserver::Informer services_;
  apiserver::Informer slices_;
  apiserver::Informer nodes_;
};

}  // namespace knetsim::kubeproxy
