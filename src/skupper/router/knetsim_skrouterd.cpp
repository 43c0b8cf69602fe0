// knetsim-skrouterd: a router with skrouterd's config, protocol and log, for TCP services.

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>

#include "knetsim/skupper/config.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/standard_output.h"
#include "router/router.h"

namespace {

constexpr int kFailure = 1;

/// Each connection needs a descriptor; what shells allow at first is few.
void allow_many_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

int run(int argc, char** argv) {
  CLI::App app("A router of the Skupper network for TCP services: what skrouterd does, with the same config");
  app.set_version_flag("-v,--version", knetsim::skupper::router::version());
  std::string file = "/etc/skupper-router/skrouterd.conf";
  app.add_option("-c,--conf", file, "the config: a JSON list of [entity, attributes], or skrouterd's .conf syntax")
      ->capture_default_str();
  app.footer(
      "Ends with 0 on SIGINT, SIGQUIT or SIGTERM, with 1 if the config can't be used or a listener can't listen.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kFailure;
  }
  std::signal(SIGPIPE, SIG_IGN);
  allow_many_files();
  std::signal(SIGHUP, SIG_IGN);  // as skrouterd
  // Threads allocate little, and what one allocates another frees: a heap for each would only cost memory.
  ::mallopt(M_ARENA_MAX, 1);
  // Never destroyed: connections end with the process. Static, so that leak checkers see that it is still held.
  static auto* const router = new knetsim::skupper::router::Router(knetsim::skupper::read_config(file));
  return router->run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::exit(knetsim::exit_code_after_output("knetsim-skrouterd", run(argc, argv)));
  } catch (const std::exception& error) {
    fmt::print(stderr, "knetsim-skrouterd: {}\n", error.what());
    return kFailure;
  }
}
