#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "knetsim/sys/fd.h"

namespace knetsim::kubelet {

/// Waits for the end of a process. A wake-up alone is no proof of it: a descriptor that was closed here may live on for
/// a moment in a child between fork and exec, and what it tells then is taken for another's (epoll(7)).
class ProcessEnd {
 public:
  /// `ended` is called once, by the thread that runs the context; it may destroy this. The process isn't reaped.
  ProcessEnd(boost::asio::io_context& context, FdView pidfd, std::function<void()> ended);
  ProcessEnd(ProcessEnd&&) = delete;
  ~ProcessEnd();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace knetsim::kubelet
