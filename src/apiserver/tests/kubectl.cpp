#include "kubectl.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "knetsim/sys/sandbox.h"

namespace knetsim::apiserver::test {

namespace {

std::filesystem::path chosen() {
  if (const char* named = std::getenv("KNETSIM_KUBECTL"); named != nullptr && *named != '\0') return named;
  return require_program("kubectl");
}

/// Where several are installed, kubectl is a program that chooses one of those beside it.
std::filesystem::path beside(const std::string& version) {
  return std::filesystem::canonical(chosen()).parent_path() / ("kubectl." + version);
}

}  // namespace

std::filesystem::path kubectl() {
  if (const char* named = std::getenv("KNETSIM_KUBECTL"); named != nullptr && *named != '\0') return named;
  const auto one = beside("1.32");
  return std::filesystem::exists(one) ? one : chosen();
}

std::optional<std::filesystem::path> kubectl_of(const std::string& version) {
  if (const auto one = beside(version); std::filesystem::exists(one)) return one;
  if ("1." + std::to_string(minor_version(chosen())) == version) return chosen();
  return std::nullopt;
}

int minor_version(const std::filesystem::path& program) {
  Command command;
  command.argv = {program.string(), "version", "--client", "-o", "json"};
  const auto version = nlohmann::json::parse(exec(command).out);
  return std::stoi(version.at("clientVersion").at("minor").get<std::string>());
}

Command kubectl_command(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
  Command command;
  command.argv = {program.string(), "--server=http://127.0.0.1:8001",
                  std::string("--cache-dir=") + kStateDirectory + "/kube-cache"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = {{"HOME", kStateDirectory}, {"KUBECONFIG", "/dev/null"}};
  return command;
}

}  // namespace knetsim::apiserver::test
