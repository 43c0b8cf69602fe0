// knetsim-apiserver: the Kubernetes API over etcd.

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "knetsim/apiserver/options.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/limits.h"
#include "knetsim/sys/standard_output.h"
#include "server.h"

namespace {

constexpr int kFailure = 1;
constexpr int kBadInput = 2;

// Lines look like those of klog, which kube-apiserver uses.
void start_log(int verbosity) {
  auto logger = spdlog::stderr_logger_st("apiserver");
  logger->set_pattern("%L%m%d %H:%M:%S.%f %7P] %v");
  logger->set_level(verbosity > 0 ? spdlog::level::debug : spdlog::level::info);
  spdlog::set_default_logger(logger);
}

int run(const knetsim::apiserver::ServerCommandLine& line) {
  if (line.request != knetsim::apiserver::ServerRequest::run) {
    fmt::print("{}", line.text);
    return EXIT_SUCCESS;
  }
  std::signal(SIGPIPE, SIG_IGN);
  knetsim::raise_limits();
  start_log(line.options.verbosity);
  // Never destroyed: the process ends while it is still at work, and coroutines aren't unwound. Static, so that leak
  // checkers see that it is still held.
  static auto* const server = new knetsim::apiserver::Server(line.options);
  return server->run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::exit(knetsim::exit_code_after_output(
        "knetsim-apiserver", run(knetsim::apiserver::parse_server_command_line({argv + 1, argv + argc}))));
  } catch (const knetsim::InputError& error) {
    fmt::print(stderr, "knetsim-apiserver: {}\n", error.what());
    return kBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "knetsim-apiserver: {}\n", error.what());
    return kFailure;
  }
}
