#include "routing/flood_filter.h"

#include <functional>

namespace knetsim::skupper::routing {

namespace {

constexpr std::chrono::seconds kMemory{1};
// Far more than 128 routers flood in a second; a peer that floods beyond this gets its copies passed on.
constexpr std::size_t kCapacity = 4096;

}  // namespace

bool FloodFilter::is_new(const std::string& ingress, std::string_view payload, TimePoint now) {
  std::erase_if(seen_, [&](const auto& entry) { return now - entry.second > kMemory; });
  if (seen_.size() >= kCapacity) seen_.clear();
  return seen_.emplace(std::hash<std::string>{}(ingress + '\n' + std::string(payload)), now).second;
}

}  // namespace knetsim::skupper::routing
