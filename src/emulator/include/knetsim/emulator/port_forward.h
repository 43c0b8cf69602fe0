#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "knetsim/apiserver/pki.h"
#include "knetsim/emulator/node.h"
#include "knetsim/sys/fd.h"

namespace knetsim {

/// Hands connections on to nodes: whoever connects to a socket, which may be of another network than the lab's, talks
/// to a port on a node, each way as fast as its taker. Has one thread, which the destructor ends, with all connections.
class PortForward {
 public:
  PortForward();
  PortForward(PortForward&&) = delete;
  ~PortForward();

  /// From now on. `listener` listens (TCP); the node's main address is connected to, as from the node itself. The node
  /// must outlive this. Beyond a thousand connections at a time, more wait.
  void add(Fd listener, const Node& node, std::uint16_t port);
  /// The same to a server that speaks TLS, whose authority this is, to clients that don't: for it they are who `shown`
  /// says.
  void add(Fd listener, const Node& node, std::uint16_t port, const std::string& authority,
           const apiserver::CertifiedKey& shown);

 private:
  struct State;
  struct Tls;
  void welcome_at(Fd listener, const Node& node, std::uint16_t port, std::shared_ptr<Tls> tls);
  std::unique_ptr<State> state_;
};

}  // namespace knetsim
