#include "knetsim/emulator/daemon.h"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <fstream>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim {

Daemon::Daemon(std::string name, Handle running, std::function<Handle()> start)
    : name_(std::move(name)), process_(std::move(running)), start_(std::move(start)) {}

Process& Daemon::process() {
  if (!process_) throw Error(fmt::format("{} isn't there: its last start failed\n  remedy: restart it", name_));
  return *process_;
}

ExitStatus Daemon::stop() {
  told_to_end_ = true;
  return process().terminate();
}

void Daemon::kill() {
  told_to_end_ = true;
  process().signal(SIGKILL);
  process().wait(std::chrono::seconds(10));
}

void Daemon::restart() {
  if (process_ && process_->running()) stop();
  process_.reset();  // the old one is gone before the new one opens the same files
  process_ = start_();
  told_to_end_ = false;
}

std::optional<std::string> Daemon::ailment() {
  if (!process_) return fmt::format("{} was ended to be started anew, and that failed", name_);
  if (const auto line = crash_report_in(process_->log()))
    return fmt::format("{} reports a crash: {}\n{}", name_, *line, process_->log_tail());
  const auto status = process_->status();
  if (!status || told_to_end_) return std::nullopt;
  return fmt::format("{} ended without having been told to ({}); its log ends with\n{}", name_, status->describe(),
                     process_->log_tail());
}

std::optional<std::string> crash_report_in(const std::filesystem::path& log) {
  constexpr std::array kSigns{"panic: ",           "fatal error: ",    "SIGSEGV: segmentation violation",
                              "AddressSanitizer:", "LeakSanitizer:",   "ThreadSanitizer:",
                              "runtime error: ",   "terminate called", "Assertion `"};
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);)
    for (const char* sign : kSigns)
      if (line.find(sign) != std::string::npos) return line;
  return std::nullopt;
}

}  // namespace knetsim
