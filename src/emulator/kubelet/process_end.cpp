#include "process_end.h"

#include <poll.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <utility>

#include "../pod_runtime.h"

namespace knetsim::kubelet {

using boost::system::error_code;

struct ProcessEnd::State : std::enable_shared_from_this<State> {
  State(boost::asio::io_context& context, FdView pidfd, std::function<void()> call)
      : descriptor(context, duplicate(pidfd).release()), ended(std::move(call)) {}

  boost::asio::posix::stream_descriptor descriptor;
  std::function<void()> ended;

  void wait() {
    descriptor.async_wait(boost::asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this()](const error_code& error) {
                            if (error || !self->ended) return;
                            pollfd process{self->descriptor.native_handle(), POLLIN, 0};
                            if (::poll(&process, 1, 0) != 1) return self->wait();
                            std::exchange(self->ended, nullptr)();
                          });
  }
};

ProcessEnd::ProcessEnd(boost::asio::io_context& context, FdView pidfd, std::function<void()> ended)
    : state_(std::make_shared<State>(context, pidfd, std::move(ended))) {
  state_->wait();
}

ProcessEnd::~ProcessEnd() {
  state_->ended = nullptr;
  const Fd closed(state_->descriptor.release());  // which is taken out of the epoll set first
}

}  // namespace knetsim::kubelet
