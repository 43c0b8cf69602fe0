#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "knetsim/sys/process.h"

namespace knetsim::skupper {

/// Runs the program for real, as many times as a test wants, all on the loopback of the test's own namespace.
class RouterTest : public testing::Test {
 protected:
  using Json = nlohmann::json;

  /// Where it is: beside this test.
  static std::string program();

  // Entities of a config.
  static Json router(const std::string& id, Json more = Json::object());
  static Json listener(std::uint16_t port, Json more = Json::object());
  static Json connector(std::uint16_t port, Json more = Json::object());
  static Json service(const std::string& address, std::uint16_t port, const std::string& name = "service");
  static Json entrance(const std::string& address, std::uint16_t port, const std::string& name = "entrance");

  /// Starts a router; `entities` without router(id). The reference stays good.
  Process& start(const std::string& id, const std::vector<Json>& entities, Json settings = Json::object());
  /// Kills it and waits for its end: its connections go before it can be waited for.
  static void kill(Process& router);
  static void wait_for_port(std::uint16_t port);
  static void wait_for_no_port(std::uint16_t port);
  static std::string log_of(const Process& router);
  static void wait_for_log(const Process& router, const std::string& text);
  /// Resident memory, KiB; 0 in an instrumented build, where it is shadow, red zones and what was freed but not given
  /// back.
  static std::size_t memory_kib(const Process& router);

  /// No router may have crashed, or have been told off by a sanitizer.
  void TearDown() override;

  std::deque<Process> routers_;
};

}  // namespace knetsim::skupper
