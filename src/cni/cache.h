#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/cni/runtime.h"
#include "knetsim/parts/program.h"

namespace knetsim::cni {

/// What ADD was asked and what it answered: all that CHECK and DEL need later, perhaps by another process.
struct CacheEntry {
  parts::Flavour flavour = parts::Flavour::builtin;  ///< or real: who has to undo it
  Attachment attachment;
  nlohmann::json config;
  nlohmann::json result;
};

/// One file per attachment, <worker's directory>/cni/cache/<network>+<container>+<ifname>: no network or container has
/// a plus in its name.
class Cache {
 public:
  explicit Cache(const std::filesystem::path& worker) : directory_(worker / "cni" / "cache") {}

  void store(const std::string& network, const CacheEntry& entry) const;
  std::optional<CacheEntry> load(const std::string& network, const std::string& container_id,
                                 const std::string& ifname) const;
  /// The attachments of a network that are stored, in the order of their names.
  std::vector<AttachmentId> list(const std::string& network) const;
  /// Absent is no error.
  void remove(const std::string& network, const std::string& container_id, const std::string& ifname) const;

 private:
  std::filesystem::path path_of(const std::string& network, const std::string& container_id,
                                const std::string& ifname) const;

  std::filesystem::path directory_;
};

}  // namespace knetsim::cni
