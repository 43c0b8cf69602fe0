#include "flannel_plugin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "flannel_config.h"
#include "knetsim/cni/config.h"
#include "knetsim/cni/error.h"
#include "knetsim/cni/find_plugin.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"

namespace knetsim::cni {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Ends in an error on stdout.
struct Refusal {
  Failure failure;
};

class FlannelPlugin {
 public:
  explicit FlannelPlugin(const PluginCall& call) : call_(call) {}

  int run() {
    const auto command = require("CNI_COMMAND");
    read_config(command == "VERSION");
    if (command == "VERSION") return print_versions();
    if (command != "ADD" && command != "DEL" && command != "CHECK")
      throw Refusal{{.code = kInvalidEnvironment, .message = "unknown CNI_COMMAND: " + command}};
    container_id_ = require("CNI_CONTAINERID");
    if (!std::regex_match(container_id_, std::regex("[a-zA-Z0-9][a-zA-Z0-9_.-]*")))
      throw Refusal{{.code = kInvalidEnvironment, .message = "invalid CNI_CONTAINERID: " + container_id_}};
    require("CNI_IFNAME");
    require("CNI_PATH");
    if (command == "DEL") return del();
    require("CNI_NETNS");
    return command == "ADD" ? add() : check();
  }

  const std::string& version() const { return version_; }

 private:
  std::string require(const std::string& name) const {
    const auto found = call_.environment.find(name);
    if (found == call_.environment.end() || found->second.empty())
      throw Refusal{{.code = kInvalidEnvironment, .message = "required env variables [" + name + "] missing"}};
    return found->second;
  }

  void read_config(bool may_lack_name) {
    config_ = json::parse(call_.input, nullptr, false);
    if (!config_.is_object()) throw Refusal{{.code = kUndecodable, .message = "stdin doesn't hold a JSON object"}};
    version_ = config_.value("cniVersion", version_);
    const auto& known = supported_versions();
    if (may_lack_name) return;
    if (std::find(known.begin(), known.end(), version_) == known.end())
      throw Refusal{
          {.code = kIncompatibleVersion,
           .message = "incompatible CNI versions",
           .details = fmt::format("config is \"{}\", plugin supports [{}]", version_, fmt::join(known, " "))}};
    if (!config_.contains("name") || !config_["name"].is_string())
      throw Refusal{{.code = kInvalidConfig, .message = "missing network name"}};
  }

  int print_versions() const {
    std::puts(json{{"cniVersion", version_}, {"supportedVersions", supported_versions()}}.dump().c_str());
    return 0;
  }

  fs::path scratch_file() const { return fs::path(config_.value("dataDir", "/var/lib/cni/flannel")) / container_id_; }

  int add() const {
    const auto lease = read_pod_lease(config_.value("subnetFile", "/run/flannel/subnet.env"));
    const auto delegate = render_delegate(config_, lease);
    const auto scratch = scratch_file();
    make_directories(scratch.parent_path());
    write_file_atomically(scratch, delegate.dump(), 0600);
    return become(delegate);
  }

  int check() const {
    auto delegate = read_scratch();
    if (delegate.is_null())
      throw Refusal{{.code = kUnknownContainer, .message = "there is no " + scratch_file().string()}};
    if (config_.contains("prevResult")) delegate["prevResult"] = with_gateways(config_["prevResult"]);
    return become(delegate);
  }

  // The file goes when the delegate is done, so that a DEL that failed can be repeated.
  int del() const {
    auto delegate = read_scratch();
    if (delegate.is_null()) return 0;
    if (config_.contains("prevResult")) delegate["prevResult"] = config_["prevResult"];
    const auto answer = exec({.argv = {program_of(delegate)}}, kExecTimeout, delegate.dump());
    std::fputs(answer.err.c_str(), stderr);
    std::fputs(answer.out.c_str(), stdout);
    if (answer.timed_out) throw Refusal{{.code = kTryAgainLater, .message = "the delegate doesn't end"}};
    if (!answer.status.success()) return answer.status.code().value_or(1);
    std::error_code ignored;
    fs::remove(scratch_file(), ignored);
    return 0;
  }

  // Null if there is none.
  json read_scratch() const {
    try {
      return json::parse(read_file(scratch_file()));
    } catch (const SystemError& error) {
      if (error.error() == ENOENT) return nullptr;
      throw;
    }
  }

  std::string program_of(const json& delegate) const {
    const std::string type = delegate.at("type");
    std::vector<fs::path> directories;
    std::istringstream entries(require("CNI_PATH"));
    for (std::string entry; std::getline(entries, entry, ':');)
      if (!entry.empty()) directories.emplace_back(entry);
    const auto found = type.find('/') == std::string::npos ? find_plugin(type, directories) : std::nullopt;
    if (!found)
      throw Refusal{{.code = kInvalidConfig,
                     .message = fmt::format("failed to find plugin \"{}\" in path [{}]", type, require("CNI_PATH"))}};
    return *found;
  }

  // Saves a process, a copy and a second reading of what the delegate prints.
  int become(const json& delegate) const {
    const auto program = program_of(delegate);
    const auto text = delegate.dump();
    const Fd input(::memfd_create("delegate", MFD_CLOEXEC));
    const auto size = static_cast<ssize_t>(text.size());
    if (!input || ::write(input.get(), text.data(), text.size()) != size || ::lseek(input.get(), 0, SEEK_SET) != 0 ||
        ::dup2(input.get(), STDIN_FILENO) < 0)
      throw SystemError("hand the config to the delegate", program);
    ::execl(program.c_str(), program.c_str(), static_cast<char*>(nullptr));
    throw SystemError("start the delegate", program);
  }

  const PluginCall& call_;
  json config_;
  std::string version_ = supported_versions().back();
  std::string container_id_;
};

}  // namespace

int run_flannel_plugin(const PluginCall& call) {
  FlannelPlugin plugin(call);
  Failure failure;
  try {
    return plugin.run();
  } catch (const Refusal& refusal) {
    failure = refusal.failure;
  } catch (const json::exception& error) {
    failure = {.code = kUndecodable, .message = error.what()};
  } catch (const InputError& error) {
    failure = {.code = kInvalidConfig, .message = error.what()};
  } catch (const std::exception& error) {
    failure = {.code = kGenericFailure, .message = error.what()};
  }
  json answer{{"cniVersion", plugin.version()}, {"code", failure.code}, {"msg", failure.message}};
  if (!failure.details.empty()) answer["details"] = failure.details;
  std::puts(answer.dump().c_str());
  return 1;
}

}  // namespace knetsim::cni
