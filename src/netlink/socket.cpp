#include "knetsim/netlink/socket.h"

#include <linux/netlink.h>

#include <utility>

#include "knetsim/netlink/channel.h"

namespace knetsim::netlink {

Socket::Socket(std::unique_ptr<Channel> channel) : channel_(std::move(channel)) {}

Socket::Socket(const NetNs& ns, std::string where)
    : Socket(std::make_unique<Channel>(ns.run([] { return open_netlink(NETLINK_ROUTE); }), std::move(where))) {}

Socket Socket::here(std::string where) {
  return Socket(std::make_unique<Channel>(open_netlink(NETLINK_ROUTE), std::move(where)));
}

Socket Socket::netfilter(const NetNs& ns, std::string where) {
  return Socket(std::make_unique<Channel>(ns.run([] { return open_netlink(NETLINK_NETFILTER); }), std::move(where)));
}

Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;
Socket::~Socket() = default;

Channel& Socket::channel() const { return *channel_; }

Batch::Batch(Socket& socket) : channel_(socket.channel()) { channel_.begin_batch(); }
Batch::~Batch() { channel_.forget_batch(); }
void Batch::commit() { channel_.commit_batch(); }

}  // namespace knetsim::netlink
