#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/sys/fd.h"

namespace knetsim {

using LogTime = std::chrono::sys_time<std::chrono::nanoseconds>;

/// "2026-11-30T12:00:00.123456789Z"
std::string log_timestamp(LogTime time);

/// The file beside a log that tells when what stands in it was written.
std::filesystem::path times_of(const std::filesystem::path& log);

/// Notes when logs grow: programs write theirs themselves, and at once. For the thread that runs the context.
class LogClocks {
 public:
  /// One log's, until its end.
  class Clock {
   public:
    Clock(Clock&&) = delete;
    /// Notes the last of it.
    ~Clock();

   private:
    friend class LogClocks;
    struct State;
    explicit Clock(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
  };

  /// Throws SystemError.
  explicit LogClocks(boost::asio::io_context& context);
  LogClocks(LogClocks&&) = delete;
  ~LogClocks();

  /// From now on, of a log that is there. Throws SystemError.
  std::unique_ptr<Clock> start(const std::filesystem::path& log);

 private:
  struct Watch;
  std::shared_ptr<Watch> watch_;  // of all logs: a user may have few
};

/// What a clock has noted.
class LogTimes {
 public:
  /// Throws InputError if nothing was noted of that log.
  explicit LogTimes(const std::filesystem::path& log);

  /// When the byte at this place was written; now, if that isn't noted yet.
  LogTime at(std::uint64_t offset);
  /// The place from which on all was written at this time or later.
  std::uint64_t since(LogTime time);

 private:
  struct Note {
    std::uint64_t end;  ///< of the log
    LogTime time;
  };
  void read_on();

  Fd file_;
  std::string rest_;  // of a line that isn't whole
  std::vector<Note> notes_;
};

}  // namespace knetsim
