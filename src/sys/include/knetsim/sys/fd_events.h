#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>

#include "knetsim/sys/fd.h"

namespace knetsim {

/// What may happen to several descriptors at once, also what asio has no name for, such as a peer that hangs up while
/// nobody reads (EPOLLRDHUP). See epoll(7).
class FdEvents {
 public:
  /// Throws SystemError.
  explicit FdEvents(const boost::asio::any_io_executor& executor);

  /// From now on; until it is closed. Throws SystemError.
  void add(FdView fd, std::uint32_t events);
  /// Returns when one of them has happened; from cancel() on at once.
  boost::asio::awaitable<void> wait();
  void cancel();

 private:
  boost::asio::posix::stream_descriptor epoll_;
  bool cancelled_ = false;
};

/// Whether this descriptor can be read, or was hung up.
bool happened(FdView fd);

}  // namespace knetsim
