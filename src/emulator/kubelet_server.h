#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "knetsim/emulator/credentials.h"
#include "knetsim/sys/netns.h"
#include "pod_runtime.h"

namespace knetsim {

class KubeletConnection;

/// What the kubelets of one cluster's workers answer on their port: exec, attach, port-forward and logs of the pods
/// there, in HTTP and WebSockets over TLS, to clients whom the lab's authority calls masters (kubelet_tls.h). One
/// thread for all of them.
class KubeletServer {
 public:
  static constexpr std::uint16_t kPort = 10250;
  /// Each holds some ten descriptors, and the emulation has a thousand in all. Who comes beyond them is hung up on.
  static constexpr std::size_t kMostConnections = 64;

  /// `pods` must outlive it; it is called from the server's thread.
  explicit KubeletServer(PodRuntime& pods);
  KubeletServer(const KubeletServer&) = delete;
  KubeletServer& operator=(const KubeletServer&) = delete;
  /// Ends every connection, and with it what runs for it.
  ~KubeletServer();

  using Identity = std::function<KubeletIdentity()>;

  /// From now on it answers for that worker, on all addresses of its namespace. Who it is, is asked when somebody comes
  /// first, from the server's thread. Throws SystemError if the port is taken.
  void listen(const std::string& node, const NetNs& netns, Identity identity);

 private:
  using Acceptor = boost::asio::ip::tcp::acceptor;

  boost::asio::awaitable<void> accept(Acceptor& acceptor, std::string node, Identity identity);

  PodRuntime* pods_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  bool stopping_ = false;  // these three are the thread's
  std::list<Acceptor> acceptors_;
  std::set<std::shared_ptr<KubeletConnection>> connections_;
  std::thread thread_;
};

}  // namespace knetsim
