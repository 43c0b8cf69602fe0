#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "knetsim/sys/fd_events.h"
#include "kubelet_request.h"
#include "pod_runtime.h"

namespace knetsim {

/// A log, from some place on; if it is followed, until its program ends and all that it printed was read.
class LogReader {
 public:
  /// Throws Error if it can't be read: it is no plain file, for one.
  LogReader(const boost::asio::any_io_executor& executor, PodLog log, const LogOptions& options);
  /// What is printed from now on.
  static LogReader from_now_on(const boost::asio::any_io_executor& executor, PodLog log);

  /// The next bytes, some ten thousand at most; empty at the end, and at once after stop().
  boost::asio::awaitable<std::string> next();
  void stop();

 private:
  void watch();
  void open_late();
  std::string read_on();

  PodLog log_;
  Fd file_;     // empty: there is none yet
  Fd changes_;  // inotify(7) of it, or of its directory, if it is followed
  FdEvents events_;
  bool follow_;
  bool stopped_ = false;
  std::uint64_t left_;  // bytes that may still be told
};

}  // namespace knetsim
