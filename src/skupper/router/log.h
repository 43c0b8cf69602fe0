#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/skupper/config.h"

namespace knetsim::skupper::router {

/// Lines as skrouterd writes them: "2026-11-24 23:35:59.123456 +0000 ROUTER (info) text". From any thread.
class Log {
 public:
  using Sink = std::function<void(std::string_view line)>;

  /// `settings` say which levels of which module are written; info and above where they say nothing.
  explicit Log(std::vector<LogSetting> settings = {}, Sink sink = to_stderr);

  void write(std::string_view module, LogLevel level, std::string_view text) const;
  void debug(std::string_view module, std::string_view text) const { write(module, LogLevel::debug, text); }
  void info(std::string_view module, std::string_view text) const { write(module, LogLevel::info, text); }
  void notice(std::string_view module, std::string_view text) const { write(module, LogLevel::notice, text); }
  void warning(std::string_view module, std::string_view text) const { write(module, LogLevel::warning, text); }
  void error(std::string_view module, std::string_view text) const { write(module, LogLevel::error, text); }
  void critical(std::string_view module, std::string_view text) const { write(module, LogLevel::critical, text); }

  static void to_stderr(std::string_view line);

 private:
  struct Rule {
    std::string module;
    unsigned levels;  ///< a bit for each
  };
  unsigned levels_of(std::string_view module) const;

  std::vector<Rule> rules_;
  Sink sink_;
};

}  // namespace knetsim::skupper::router
