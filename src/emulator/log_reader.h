#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "knetsim/sys/fd_events.h"
#include "kubelet_request.h"
#include "log_times.h"
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
  /// From this byte on, or, in the middle of a line, from the next.
  void begin_at_line(std::uint64_t offset);
  /// Of what was read: a time before each line.
  std::string with_times(const std::string& piece);

  PodLog log_;
  Fd file_;     // empty: there is none yet
  Fd changes_;  // inotify(7) of it, or of its directory, if it is followed
  FdEvents events_;
  bool follow_;
  bool stopped_ = false;
  std::uint64_t left_;                  // bytes that may still be told
  std::optional<LogTimes> times_ = {};  // if they are wanted
  std::uint64_t offset_ = 0;            // of what is read next; kept for the times
  bool line_begins_ = true;
};

}  // namespace knetsim
