#include "knetsim/sys/fd_events.h"

#include <poll.h>
#include <sys/epoll.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "knetsim/sys/error.h"

namespace knetsim {

namespace asio = boost::asio;

FdEvents::FdEvents(const asio::any_io_executor& executor) : epoll_(executor) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) throw SystemError("wait for several descriptors");
  epoll_.assign(epoll.release());
}

void FdEvents::add(FdView fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  if (::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, fd.get(), &event) != 0)
    throw SystemError("wait for several descriptors");
}

asio::awaitable<void> FdEvents::wait() {
  if (cancelled_) co_return;
  boost::system::error_code ignored;
  co_await epoll_.async_wait(asio::posix::stream_descriptor::wait_read,
                             asio::redirect_error(asio::use_awaitable, ignored));
}

void FdEvents::cancel() {
  cancelled_ = true;
  boost::system::error_code ignored;
  epoll_.cancel(ignored);
}

bool happened(FdView fd) {
  pollfd event{fd.get(), POLLIN, 0};
  return ::poll(&event, 1, 0) > 0;
}

}  // namespace knetsim
