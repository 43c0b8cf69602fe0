#include "cache.h"

#include <fmt/format.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim::cni {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path Cache::path_of(const std::string& network, const std::string& container_id, const std::string& ifname) const {
  return directory_ / fmt::format("{}+{}+{}", network, container_id, ifname);
}

void Cache::store(const std::string& network, const CacheEntry& entry) const {
  make_directories(directory_);
  const auto& [container_id, netns, ifname] = entry.attachment;
  const json document{{"kind", "knetsim-cni-1"}, {"flavour", entry.flavour}, {"containerId", container_id},
                      {"netns", netns},          {"ifName", ifname},         {"networkName", network},
                      {"config", entry.config},  {"result", entry.result}};
  write_file_atomically(path_of(network, container_id, ifname), document.dump(), 0600);
}

std::optional<CacheEntry> Cache::load(const std::string& network, const std::string& container_id,
                                      const std::string& ifname) const {
  const auto path = path_of(network, container_id, ifname);
  std::string text;
  try {
    text = read_file(path);
  } catch (const SystemError& error) {
    if (error.error() == ENOENT) return std::nullopt;
    throw;
  }
  try {
    const auto document = json::parse(text);
    return CacheEntry{.flavour = document.at("flavour"),
                      .attachment = {.container_id = document.at("containerId"),
                                     .netns = document.at("netns"),
                                     .ifname = document.at("ifName")},
                      .config = document.at("config"),
                      .result = document.at("result")};
  } catch (const json::exception& error) {
    throw knetsim::Error(
        describe({.where = path.string(),
                  .tried = "read the cached CNI result",
                  .answer = error.what(),
                  .remedy = "remove the file; the container's network stays until its namespace ends"}));
  }
}

void Cache::remove(const std::string& network, const std::string& container_id, const std::string& ifname) const {
  std::error_code ignored;
  fs::remove(path_of(network, container_id, ifname), ignored);
}

}  // namespace knetsim::cni
