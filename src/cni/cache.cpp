#include "cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/json_place.h"

namespace knetsim::cni {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::pair<std::string, std::string> argument(const JsonPlace& at) { return {at[0].string(), at[1].string()}; }

}  // namespace

fs::path Cache::path_of(const std::string& network, const std::string& container_id, const std::string& ifname) const {
  return directory_ / fmt::format("{}+{}+{}", network, container_id, ifname);
}

void Cache::store(const std::string& network, const CacheEntry& entry) const {
  make_directories(directory_);
  const auto& attachment = entry.attachment;
  const json document{{"kind", "knetsim-cni-2"},
                      {"flavour", to_string(entry.flavour)},
                      {"containerId", attachment.container_id},
                      {"netns", attachment.netns},
                      {"ifName", attachment.ifname},
                      {"cniArgs", attachment.args},
                      {"capabilityArgs", attachment.capabilities},
                      {"networkName", network},
                      {"config", entry.config},
                      {"result", entry.result}};
  write_file_atomically(path_of(network, attachment.container_id, attachment.ifname), document.dump(), 0600);
}

std::optional<CacheEntry> Cache::load(const std::string& network, const std::string& container_id,
                                      const std::string& ifname) const {
  const auto path = path_of(network, container_id, ifname);
  try {
    const auto document =
        read_json({.file = path.string(),
                   .text = read_file(path),
                   .help = "remove the file; the container's network stays until its namespace ends"});
    const JsonPlace at(document);
    return CacheEntry{
        .flavour = at["flavour"].parsed([](std::string_view text) { return parts::parse_flavour(text, parts::kCni); }),
        .attachment = {.container_id = at["containerId"].string(),
                       .netns = at["netns"].string(),
                       .ifname = at["ifName"].string(),
                       .args = at["cniArgs"].each(argument),
                       .capabilities = at["capabilityArgs"].value()},
        .config = at["config"].value(),
        .result = at["result"].value()};
  } catch (const SystemError& error) {
    if (error.error() == ENOENT) return std::nullopt;
    throw;
  } catch (const InputError& error) {
    throw knetsim::Error(error.what());  // no input of the user's
  }
}

std::vector<AttachmentId> Cache::list(const std::string& network) const {
  std::vector<AttachmentId> ids;
  std::error_code ignored;  // nothing was ever stored
  if (!fs::exists(directory_, ignored)) return ids;
  const auto prefix = network + "+";
  for (const auto& file : list_directory(directory_)) {
    const auto name = file.filename().string();
    if (!name.starts_with(prefix) || name.ends_with(".tmp")) continue;  // the latter is being written
    const auto plus = name.find('+', prefix.size());
    if (plus == std::string::npos) continue;
    ids.push_back({.container_id = name.substr(prefix.size(), plus - prefix.size()), .ifname = name.substr(plus + 1)});
  }
  std::sort(ids.begin(), ids.end(), [](const auto& a, const auto& b) {
    return std::tie(a.container_id, a.ifname) < std::tie(b.container_id, b.ifname);
  });
  return ids;
}

void Cache::remove(const std::string& network, const std::string& container_id, const std::string& ifname) const {
  std::error_code ignored;
  fs::remove(path_of(network, container_id, ifname), ignored);
}

}  // namespace knetsim::cni
