#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/cni/plugins.h"
#include "knetsim/cni/result.h"
#include "knetsim/cni/specification.h"
#include "knetsim/sys/netns.h"

namespace knetsim::cni {

/// What names an attachment within a network.
struct AttachmentId {
  std::string container_id;
  std::string ifname = "eth0";

  bool operator==(const AttachmentId&) const = default;
};

/// One interface of one container: what CNI_CONTAINERID, CNI_NETNS and CNI_IFNAME say, and what else ADD is told.
struct Attachment {
  std::string container_id;
  std::string netns;  ///< path of its pinned namespace, /run/netns/k0_c1
  std::string ifname = "eth0";
  std::vector<std::pair<std::string, std::string>> args = {};  ///< CNI_ARGS
  /// By capability: {"portMappings": [...]}. A plugin whose config says so of a capability finds it in "runtimeConfig".
  nlohmann::json capabilities = nlohmann::json::object();
};

struct RuntimeOptions {
  std::string node;                                ///< begins every error
  std::filesystem::path directory;                 ///< the worker's own; plugins run in it, the cache lies below
  std::vector<std::filesystem::path> search_path;  ///< becomes CNI_PATH
  std::chrono::milliseconds timeout{30'000};       ///< for one plugin's one answer
};

/// Runs plugins by the exec protocol (CNI 1.1.0, "Execution Protocol") in a worker's namespace. Config and result of
/// each attachment are kept in <directory>/cni/cache, so that check() and del() need nothing but the ids, also from
/// another Runtime. What a plugin prints is read in any version, and handed on in the config's. Move-only; different
/// attachments may be handled from several threads at once.
class Runtime {
 public:
  /// Holds the worker's namespace by a descriptor of its own.
  Runtime(const NetNs& worker, RuntimeOptions options);

  /// ADD through the list. If a plugin fails, DEL undoes what was applied, and the Error tells of the first failure.
  Result add(const Attachment& attachment, const NetworkConfig& config);
  /// CHECK of what add() did; throws Error if something isn't as it was, or if the config's version (below 0.4.0) has
  /// no CHECK. Without effect if the config says disableCheck.
  void check(const std::string& container_id, const std::string& network, const std::string& ifname = "eth0");
  /// DEL in reverse order. What is gone already, or was never there, is no error.
  void del(const std::string& container_id, const std::string& network, const std::string& ifname = "eth0");
  /// The same for an attachment that the cache may have lost.
  void del(const Attachment& attachment, const NetworkConfig& config);
  /// STATUS of each plugin; throws the Error of the first that isn't ready for ADD (kNotAvailable,
  /// kLimitedConnectivity). Without effect if the config's version (below 1.1.0) has no STATUS.
  void status(const NetworkConfig& config);
  /// GC: DEL of each attachment of this network that the cache knows and `valid` doesn't name, then, if the config's
  /// version (1.1.0) has it, GC of each plugin. All get their chance; the Error tells of the first failure. Without
  /// effect if the config says disableGC.
  void gc(const NetworkConfig& config, const std::vector<AttachmentId>& valid);
  /// VERSION: what plugin `type` supports.
  std::vector<std::string> versions(const std::string& type);

 private:
  NetNs worker_;
  RuntimeOptions options_;
};

}  // namespace knetsim::cni
