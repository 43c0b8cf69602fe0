// knetsim-flanneld: a flannel daemon with flanneld's flags, keys, links, routes and files.

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "daemon.h"
#include "knetsim/flannel/options.h"
#include "knetsim/sys/error.h"

namespace {

constexpr int kFailure = 1;
constexpr int kBadInput = 2;

std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  return variables;
}

// Lines look like those of klog, which flanneld uses: "I0731 12:34:56.789012     42] text".
void start_log(int verbosity) {
  auto logger = spdlog::stderr_logger_st("flanneld");
  logger->set_pattern("%L%m%d %H:%M:%S.%f %7P] %v");
  logger->set_level(verbosity > 0 ? spdlog::level::debug : spdlog::level::info);
  spdlog::set_default_logger(logger);
}

int run(const knetsim::flannel::CommandLine& line, const std::vector<std::string>& arguments) {
  using knetsim::flannel::Request;
  if (line.request == Request::help) {
    fmt::print(stderr, "{}", knetsim::flannel::usage("knetsim-flanneld"));
    return EXIT_SUCCESS;
  }
  if (line.request == Request::version) {
    fmt::print(stderr, "knetsim-flanneld {}\n", KNETSIM_VERSION);
    return EXIT_SUCCESS;
  }
  std::signal(SIGPIPE, SIG_IGN);
  start_log(line.options.verbosity);
  spdlog::info("CLI flags config: {}", fmt::join(knetsim::flannel::without_secrets(arguments), " "));
  for (const auto& flag : line.options.ineffective) spdlog::warn("{}", flag);
  // Never destroyed: the process ends while it is still at work, and coroutines aren't unwound. Static, so that leak
  // checkers see that it is still held.
  static auto* const daemon = new knetsim::flannel::Daemon(line.options);
  return daemon->run();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    std::exit(run(knetsim::flannel::parse_command_line(arguments, environment()), arguments));
  } catch (const knetsim::InputError& error) {
    fmt::print(stderr, "knetsim-flanneld: {}\n", error.what());
    return kBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "knetsim-flanneld: {}\n", error.what());
    return kFailure;
  }
}
