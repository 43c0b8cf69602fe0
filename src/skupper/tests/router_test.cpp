#include "tests/router_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"
#include "tests/tcp.h"

namespace knetsim::skupper {

namespace {

std::string read_all(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

nlohmann::json entity(const char* type, nlohmann::json attributes, const nlohmann::json& more) {
  attributes.update(more);
  return nlohmann::json::array({type, attributes});
}

}  // namespace

std::string RouterTest::program() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "knetsim-skrouterd";
}

nlohmann::json RouterTest::router(const std::string& id, Json more) {
  return entity("router", {{"id", id}, {"mode", "interior"}}, more);
}

nlohmann::json RouterTest::listener(std::uint16_t port, Json more) {
  return entity("listener",
                {{"name", fmt::format("l{}", port)}, {"role", "inter-router"}, {"host", "127.0.0.1"}, {"port", port}},
                more);
}

nlohmann::json RouterTest::connector(std::uint16_t port, Json more) {
  return entity("connector",
                {{"name", fmt::format("to{}", port)}, {"role", "inter-router"}, {"host", "127.0.0.1"}, {"port", port}},
                more);
}

nlohmann::json RouterTest::service(const std::string& address, std::uint16_t port, const std::string& name) {
  return entity("tcpConnector", {{"name", name}, {"host", "127.0.0.1"}, {"port", port}, {"address", address}},
                Json::object());
}

nlohmann::json RouterTest::entrance(const std::string& address, std::uint16_t port, const std::string& name) {
  return entity("tcpListener", {{"name", name}, {"host", "127.0.0.1"}, {"port", port}, {"address", address}},
                Json::object());
}

Process& RouterTest::start(const std::string& id, const std::vector<Json>& entities, Json settings) {
  const std::filesystem::path state = kStateDirectory;
  const auto config = state / fmt::format("{}-{}.json", id, routers_.size());
  Json all = Json::array();
  all.push_back(router(id, std::move(settings)));
  for (const auto& one : entities) all.push_back(one);
  write_file_atomically(config, all.dump(1), 0644);
  routers_.push_back(
      Process::spawn({.argv = {program(), "-c", config}}, state / fmt::format("{}-{}.log", id, routers_.size())));
  return routers_.back();
}

void RouterTest::kill(Process& router) {
  router.signal(SIGKILL);
  router.wait(std::chrono::seconds(10));
}

void RouterTest::wait_for_port(std::uint16_t port) {
  eventually([&]() -> std::optional<std::string> {
    if (listening_tcp_ports(NetNs::current()).contains(port)) return std::nullopt;
    return fmt::format("nobody listens on port {}", port);
  });
}

void RouterTest::wait_for_no_port(std::uint16_t port) {
  eventually([&]() -> std::optional<std::string> {
    if (!listening_tcp_ports(NetNs::current()).contains(port)) return std::nullopt;
    return fmt::format("port {} is still listened on", port);
  });
}

std::string RouterTest::log_of(const Process& router) { return read_all(router.log()); }

void RouterTest::wait_for_log(const Process& router, const std::string& text) {
  eventually([&]() -> std::optional<std::string> {
    if (log_of(router).find(text) != std::string::npos) return std::nullopt;
    return fmt::format("\"{}\" in the log:\n{}", text, log_of(router));
  });
}

std::size_t RouterTest::memory_kib(const Process& router) {
#ifdef KNETSIM_INSTRUMENTED
  (void)router;
  return 0;
#else
  std::istringstream status(read_all(fmt::format("/proc/{}/status", router.pid())));
  for (std::string word; status >> word;) {
    std::size_t value = 0;
    if (word == "VmRSS:" && status >> value) return value;
  }
  throw Error("no VmRSS of " + std::to_string(router.pid()));
#endif
}

void RouterTest::TearDown() {
  for (auto& router : routers_) {
    if (!router.status()) {
      EXPECT_TRUE(router.terminate(std::chrono::seconds(20)).success()) << log_of(router);
    } else {
      EXPECT_TRUE(router.status()->code() == 0 || router.status()->code() == 1 || router.status()->signal() == SIGKILL)
          << router.status()->describe() << "\n"
          << log_of(router);
    }
    for (const char* sanitizer :
         {"AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error:", "Internal error"})
      EXPECT_EQ(log_of(router).find(sanitizer), std::string::npos) << log_of(router);
  }
  if (HasFailure())
    for (const auto& router : routers_)
      std::fprintf(stderr, "--- %s\n%s", router.log().c_str(), log_of(router).c_str());
}

}  // namespace knetsim::skupper
