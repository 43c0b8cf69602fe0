#include "flannel_plugin.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "knetsim/cni/result.h"
#include "knetsim/cni/specification.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/text.h"
#include "plugin_config.h"

namespace knetsim::cni {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kDeepestInput = 64;

// Ends in an error on stdout.
struct Refusal {
  Failure failure;
};

class FlannelPlugin {
 public:
  explicit FlannelPlugin(const PluginCall& call) : call_(call) {}

  int run() {
    const auto command = require("CNI_COMMAND");
    if (command == "VERSION") return print_versions();
    const bool attachment = command == "ADD" || command == "DEL" || command == "CHECK";
    if (!attachment && command != "STATUS" && command != "GC")
      throw Refusal{{.code = kInvalidEnvironment, .message = "unknown CNI_COMMAND: " + excerpt(command)}};
    read_config();
    require("CNI_PATH");
    if (command == "CHECK") require_version(command, kCheckSince);
    if (!attachment) {
      require_version(command, kStatusSince);
      return command == "STATUS" ? status() : gc();
    }
    container_id_ = require("CNI_CONTAINERID");
    if (!is_identifier(container_id_))
      throw Refusal{{.code = kInvalidEnvironment, .message = "invalid CNI_CONTAINERID: " + excerpt(container_id_)}};
    if (const auto ifname = require("CNI_IFNAME"); !is_interface_name(ifname))
      throw Refusal{{.code = kInvalidEnvironment, .message = "invalid CNI_IFNAME: " + excerpt(ifname)}};
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

  void read_config() {
    try {
      config_ =
          parse_json(call_.input, {.depth = kDeepestInput, .size = kLongestInput, .refuse_byte_order_mark = true});
    } catch (const InputError& error) {
      throw Refusal{{.code = kUndecodable, .message = "can't read the config on stdin", .details = error.what()}};
    }
    if (!config_.is_object()) throw Refusal{{.code = kUndecodable, .message = "stdin doesn't hold a JSON object"}};
    // The first that is asked, since every error is of this version.
    version_ = text("cniVersion", kOldestVersion);
    if (version_.empty()) version_ = kOldestVersion;
    if (!is_supported(version_))
      throw Refusal{{.code = kIncompatibleVersion,
                     .message = "incompatible CNI versions",
                     .details = fmt::format("config is {}, plugin supports [{}]", excerpt(version_),
                                            fmt::join(supported_versions(), " "))}};
    if (const auto name = text("name", ""); !is_identifier(name))
      throw Refusal{{.code = kInvalidConfig,
                     .message = name.empty() ? "missing network name" : "invalid network name: " + excerpt(name)}};
  }

  std::string text(const char* key, const char* otherwise) const {
    const auto found = config_.find(key);
    if (found == config_.end() || found->is_null()) return otherwise;
    if (!found->is_string())
      throw Refusal{{.code = kUndecodable, .message = fmt::format("/{} is no string: {}", key, json_excerpt(*found))}};
    return found->get<std::string>();
  }

  void require_version(const std::string& command, const char* first) const {
    if (!is_since(version_, first))
      throw Refusal{{.code = kIncompatibleVersion,
                     .message = "config version does not allow " + command,
                     .details = fmt::format("config is \"{}\", {} came with {}", version_, command, first)}};
  }

  // In the version that is asked for, as far as it can be read: the first runtimes sent no config with it.
  int print_versions() {
    const auto asked = json::parse(call_.input.substr(0, kLongestInput), nullptr, false);
    if (asked.is_object() && asked.contains("cniVersion") && asked["cniVersion"].is_string() &&
        is_supported(asked["cniVersion"].get<std::string>()))
      version_ = asked["cniVersion"];
    std::puts(json{{"cniVersion", version_}, {"supportedVersions", supported_versions()}}.dump().c_str());
    return 0;
  }

  PodLease lease() const { return read_pod_lease(text("subnetFile", "/run/flannel/subnet.env")); }

  fs::path scratch_directory() const { return text("dataDir", "/var/lib/cni/flannel"); }
  fs::path scratch_file() const { return scratch_directory() / container_id_; }

  int add() const {
    const auto delegate = render_delegate(config_, lease());
    const auto scratch = scratch_file();
    make_directories(scratch.parent_path());
    write_file_atomically(scratch, delegate.dump(), 0600);
    return become(delegate);
  }

  int check() const {
    auto delegate = read_scratch();
    if (delegate.is_null())
      throw Refusal{{.code = kUnknownContainer, .message = "there is no " + scratch_file().string()}};
    hand_over_result(delegate);
    if (delegate.contains("prevResult")) delegate["prevResult"] = with_gateways(delegate["prevResult"]);
    return become(delegate);
  }

  // The file goes when the delegate is done, so that a DEL that failed can be repeated.
  int del() const {
    json delegate;
    try {
      delegate = read_scratch();
    } catch (const InputError& error) {
      // As the real one does: nothing that a runtime could do would help, and the namespace's end takes the link along.
      fmt::print(stderr, "{}\n", error.what());
    }
    if (delegate.is_null()) return 0;
    try {
      hand_over_result(delegate);
    } catch (const InputError&) {
      delegate.erase("prevResult");  // it is a help, not a need
    }
    const auto answer = call_delegate(delegate);
    if (!answer.status.success()) return answer.status.code().value_or(1);
    std::error_code ignored;
    fs::remove(scratch_file(), ignored);
    return 0;
  }

  int status() const {
    json delegate;
    try {
      delegate = render_delegate(config_, lease());
    } catch (const InputError& error) {
      throw Refusal{{.code = kNotAvailable, .message = "there is no lease of flannel", .details = error.what()}};
    }
    return call_delegate(delegate).status.code().value_or(1);
  }

  // Of the files in dataDir, those of containers that are gone; what they had is the delegate's to give back, as the
  // config says now, or, where there is no lease any more, as it said once.
  int gc() const {
    const auto valid = valid_containers();
    std::vector<fs::path> stale;
    json delegate;
    std::error_code none_yet;
    if (fs::exists(scratch_directory(), none_yet))
      for (const auto& file : list_directory(scratch_directory())) {
        const auto rendered = read_if_rendered(file);
        if (rendered.value("name", json()) != config_["name"]) continue;
        delegate = rendered;
        if (!valid.contains(file.filename().string())) stale.push_back(file);
      }
    try {
      delegate = render_delegate(config_, lease());
    } catch (const InputError&) {
      if (delegate.is_null()) return 0;
    }
    delegate["cniVersion"] = version_;
    for (const auto* key : {"cni.dev/valid-attachments", "cni.dev/attachments"})
      if (config_.contains(key)) delegate[key] = config_[key];
    const auto answer = call_delegate(delegate);
    if (!answer.status.success()) return answer.status.code().value_or(1);
    std::error_code ignored;
    for (const auto& file : stale) fs::remove(file, ignored);
    return 0;
  }

  std::set<std::string> valid_containers() const {
    std::set<std::string> ids;
    auto found = config_.find("cni.dev/valid-attachments");
    if (found == config_.end()) found = config_.find("cni.dev/attachments");
    if (found == config_.end() || !found->is_array())
      throw Refusal{{.code = kInvalidConfig, .message = "GC needs a list \"cni.dev/valid-attachments\""}};
    for (const auto& one : *found) ids.insert(one.at("containerID").get<std::string>());
    return ids;
  }

  // A runtime may have gone over to another version since ADD; the delegate reads the result as its config's.
  void hand_over_result(json& delegate) const {
    const auto found = config_.find("prevResult");
    if (found == config_.end() || found->is_null()) return;
    auto result = parse_result(found->dump(), version_);
    result.cni_version = delegate.value("cniVersion", kOldestVersion);
    delegate["prevResult"] = json::parse(to_json(result));
  }

  // What it prints is printed.
  ExecResult call_delegate(const json& delegate) const {
    auto answer = exec({.argv = {program_of(delegate)}}, kExecTimeout, delegate.dump(), kLongestInput);
    std::fputs(answer.err.c_str(), stderr);
    if (answer.timed_out) throw Refusal{{.code = kTryAgainLater, .message = "the delegate doesn't end"}};
    if (!answer.status.success() && answer.out.empty())
      throw Refusal{{.code = kGenericFailure,
                     .message = fmt::format("the delegate {} ended with {} and no error on stdout",
                                            delegate.at("type").get<std::string>(), answer.status.describe())}};
    std::fputs(answer.out.c_str(), stdout);
    return answer;
  }

  // Null if there is none.
  json read_scratch() const { return read_rendered(scratch_file()); }

  static json read_rendered(const fs::path& file) {
    try {
      return parse_json(read_file(file), {.depth = kDeepestInput, .size = kLongestInput, .file = file.string()});
    } catch (const SystemError& error) {
      if (error.error() == ENOENT) return nullptr;
      throw;
    } catch (const InputError& error) {
      throw InputError(describe({.where = file.string(),
                                 .tried = "read the delegate's config",
                                 .answer = error.what(),
                                 .remedy = "remove the file; the container's network ends with its namespace"}));
    }
  }

  // dataDir may have anybody's files in it.
  static json read_if_rendered(const fs::path& file) {
    try {
      auto rendered = read_rendered(file);
      if (rendered.is_object()) return rendered;
    } catch (const knetsim::Error&) {
      // It tells nothing of this network.
    }
    return json::object();
  }

  std::string program_of(const json& delegate) const {
    const std::string type = delegate.at("type");
    std::vector<fs::path> directories;
    std::istringstream entries(require("CNI_PATH"));
    for (std::string entry; std::getline(entries, entry, ':');)
      if (!entry.empty()) directories.emplace_back(entry);
    const auto found = type.find('/') == std::string::npos ? find_file(type, directories) : std::nullopt;
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
  std::string version_ = supported_versions().back();  // until the config tells
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
  // What it tells of may have come from anywhere.
  std::puts(answer.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  return 1;
}

}  // namespace knetsim::cni
