// knetsim-kube-proxy: services reach their endpoints.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <cstdlib>

#include "daemon.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/limits.h"
#include "knetsim/sys/standard_output.h"
#include "options.h"

namespace {

constexpr int kFailure = 1;
constexpr int kBadInput = 2;

// Lines look like those of klog, which kube-proxy uses.
void start_log(int verbosity) {
  auto logger = spdlog::stderr_logger_st("kube-proxy");
  logger->set_pattern("%L%m%d %H:%M:%S.%f %7P] %v");
  logger->set_level(verbosity > 0 ? spdlog::level::debug : spdlog::level::info);
  spdlog::set_default_logger(logger);
}

int run(const std::vector<std::string>& arguments) {
  using knetsim::kubeproxy::DaemonRequest;
  auto line = knetsim::kubeproxy::parse_daemon_command_line(arguments);
  if (line.request != DaemonRequest::run) {
    fmt::print("{}", line.text);
    return EXIT_SUCCESS;
  }
  start_log(line.options.verbosity);
  if (line.options.cleanup) {
    const auto netns =
        line.options.netns.empty() ? knetsim::NetNs::current() : knetsim::NetNs::open(line.options.netns);
    knetsim::kubeproxy::Proxier::clean_up(netns);
    return EXIT_SUCCESS;
  }
  // The rules stay: whoever comes next finds what is right of them, and no flow breaks.
  std::signal(SIGTERM, [](int) { ::_exit(EXIT_SUCCESS); });
  std::signal(SIGINT, [](int) { ::_exit(EXIT_SUCCESS); });
  std::signal(SIGPIPE, SIG_IGN);
  knetsim::raise_limits();
  boost::asio::io_context context;
  knetsim::kubeproxy::KubeProxy proxy(context, std::move(line.options));
  context.run();
  return kFailure;  // it never ends by itself
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return knetsim::exit_code_after_output("knetsim-kube-proxy", run({argv + 1, argv + argc}));
  } catch (const knetsim::InputError& error) {
    fmt::print(stderr, "knetsim-kube-proxy: {}\n", error.what());
    return kBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "knetsim-kube-proxy: {}\n", error.what());
    return kFailure;
  }
}
