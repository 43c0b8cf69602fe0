// knetsim-controllers: what makes a Kubernetes API more than a store.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/asio/io_context.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/limits.h"
#include "knetsim/sys/network.h"
#include "knetsim/sys/standard_output.h"
#include "knetsim/sys/text.h"
#include "manager.h"

namespace {

using boost::asio::ip::tcp;
using knetsim::InputError;

constexpr int kFailure = 1;
constexpr int kBadInput = 2;

// Lines look like those of klog, which kube-controller-manager uses.
void start_log(int verbosity) {
  auto logger = spdlog::stderr_logger_st("controllers");
  logger->set_pattern("%L%m%d %H:%M:%S.%f %7P] %v");
  logger->set_level(verbosity > 0 ? spdlog::level::debug : spdlog::level::info);
  spdlog::set_default_logger(logger);
}

/// "http://127.0.0.1:8001", "http://[::1]:8001/"
tcp::endpoint server_of(std::string_view url) {
  const InputError refusal(fmt::format(
      "invalid value {} for --master: give http://ADDRESS:PORT, as in http://127.0.0.1:8001", knetsim::excerpt(url)));
  constexpr std::string_view kScheme = "http://";
  auto rest = url;
  if (!rest.starts_with(kScheme)) throw refusal;
  rest.remove_prefix(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos) throw refusal;
  auto host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port_text = rest.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (code != std::errc{} || end != port_text.data() + port_text.size() || port == 0) throw refusal;
  try {
    return {knetsim::parse_address(host), port};
  } catch (const InputError&) {
    throw refusal;
  }
}

/// Of names, separated by commas; without any, all.
std::vector<const knetsim::controllers::Controller*> chosen_controllers(const std::string& names) {
  const auto all = knetsim::controllers::controllers();
  std::vector<std::string> wanted;
  if (!names.empty()) boost::algorithm::split(wanted, names, boost::algorithm::is_any_of(","));
  std::vector<const knetsim::controllers::Controller*> chosen;
  for (const auto* one : all)
    if (names.empty() || std::erase(wanted, one->name) > 0) chosen.push_back(one);
  if (wanted.empty()) return chosen;
  std::vector<std::string_view> there;
  for (const auto* one : all) there.push_back(one->name);
  throw InputError(fmt::format("invalid value {} for --controllers: there are {}", knetsim::excerpt(wanted.front()),
                               fmt::join(there, ", ")));
}

int serve(const tcp::endpoint& server, const std::string& url,
          std::vector<const knetsim::controllers::Controller*> controllers) {
  // Nothing is kept here: whoever comes next reads all of it again.
  std::signal(SIGTERM, [](int) { ::_exit(EXIT_SUCCESS); });
  std::signal(SIGINT, [](int) { ::_exit(EXIT_SUCCESS); });
  std::signal(SIGPIPE, SIG_IGN);
  knetsim::raise_limits();
  const auto begin = std::chrono::steady_clock::now();
  boost::asio::io_context context;
  knetsim::controllers::Manager manager(context, server, std::move(controllers), [&] {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    spdlog::info("controlling what is on {} after {} ms", url, took.count());
  });
  context.run();
  return kFailure;  // it never ends by itself
}

int run(const std::vector<std::string>& arguments) {
  CLI::App app("knetsim-controllers: Kubernetes' controllers, for networking labs", "knetsim-controllers");
  std::string master = "http://127.0.0.1:8001";
  std::string names;
  int verbosity = 0;
  bool version = false;
  app.add_option("--controllers", names, "which of them, by name and separated by commas (all)");
  app.add_option("--master", master, "the API server, in plain HTTP (http://127.0.0.1:8001)");
  app.add_option("-v,--v", verbosity, "1: log every write (0)")->check(CLI::Range(0, 10));
  app.add_flag("--version", version, "print the version");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return EXIT_SUCCESS;
  } catch (const CLI::ParseError& error) {
    throw InputError(fmt::format("{}\n  remedy: knetsim-controllers --help lists what there is", error.what()));
  }
  if (version) {
    fmt::print("knetsim-controllers {}\n", KNETSIM_VERSION);
    return EXIT_SUCCESS;
  }
  const auto server = server_of(master);
  auto controllers = chosen_controllers(names);
  start_log(verbosity);
  return serve(server, master, std::move(controllers));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return knetsim::exit_code_after_output("knetsim-controllers", run({argv + 1, argv + argc}));
  } catch (const InputError& error) {
    fmt::print(stderr, "knetsim-controllers: {}\n", error.what());
    return kBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "knetsim-controllers: {}\n", error.what());
    return kFailure;
  }
}
