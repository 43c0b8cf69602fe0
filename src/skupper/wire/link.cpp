#include "wire/link.h"

#include <fmt/format.h>

#include <array>

namespace knetsim::skupper::wire {

namespace {

constexpr std::array kCapabilities{
    std::pair{LinkKind::control, std::string_view("qd.router")},
    std::pair{LinkKind::data, std::string_view("qd.router-data")},
    std::pair{LinkKind::edge_downlink, std::string_view("qd.router-edge-downlink")},
    std::pair{LinkKind::inter_edge, std::string_view("qd.router-inter-edge")},
    std::pair{LinkKind::streaming, std::string_view()},
};

}  // namespace

std::string_view capability(LinkKind kind) {
  for (const auto& [known, name] : kCapabilities)
    if (known == kind) return name;
  return {};
}

std::optional<LinkKind> link_kind(std::string_view capability) {
  for (const auto& [kind, name] : kCapabilities)
    if (name == capability) return kind;
  return std::nullopt;
}

std::string link_name(std::string_view discriminator) { return fmt::format("qdlink.{}", discriminator); }

}  // namespace knetsim::skupper::wire
