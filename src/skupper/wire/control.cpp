#include "wire/control.h"

#include <fmt/format.h>

namespace knetsim::skupper::wire {

namespace {

template <typename Body>
constexpr std::string_view kOpcode;
template <>
constexpr std::string_view kOpcode<Hello> = "HELLO";
template <>
constexpr std::string_view kOpcode<RouterAdvertisement> = "RA";
template <>
constexpr std::string_view kOpcode<LinkStateRequest> = "LSR";
template <>
constexpr std::string_view kOpcode<LinkStateUpdate> = "LSU";
template <>
constexpr std::string_view kOpcode<MobileAddressRequest> = "MAR";
template <>
constexpr std::string_view kOpcode<MobileAddressUpdate> = "MAU";

/// ['c0', 'c1']
std::string quoted(const std::vector<std::string>& names) {
  std::string result;
  for (const auto& name : names) result += fmt::format("{}'{}'", result.empty() ? "" : ", ", name);
  return "[" + result + "]";
}

std::string quoted(const std::vector<AddressEntry>& entries) {
  std::vector<std::string> keys;
  for (const auto& entry : entries) keys.push_back(entry.key);
  return quoted(keys);
}

std::string to_string(const LinkState& state) {
  std::string peers;
  for (const auto& [peer, cost] : state.peers)
    peers += fmt::format("{}'{}': {}", peers.empty() ? "" : ", ", peer, cost);
  return fmt::format("LS(id={} area=0 ls_seq={} peers={{{}}})", state.id, state.ls_seq, peers);
}

struct Details {
  std::string operator()(const Hello& body) const {
    return fmt::format(" inst={} seen={}", body.instance, quoted(body.seen));
  }
  std::string operator()(const RouterAdvertisement& body) const {
    return fmt::format(" inst={} ls_seq={} mobile_seq={}", body.instance, body.ls_seq, body.mobile_seq);
  }
  std::string operator()(const LinkStateRequest&) const { return ""; }
  std::string operator()(const LinkStateUpdate& body) const {
    return fmt::format(" inst={} ls_seq={} ls={}", body.instance, body.ls_seq, to_string(body.link_state));
  }
  std::string operator()(const MobileAddressRequest& body) const { return fmt::format(" have_seq={}", body.have_seq); }
  std::string operator()(const MobileAddressUpdate& body) const {
    auto text = fmt::format(" mobile_seq={}", body.mobile_seq);
    if (const auto* all = std::get_if<AbsoluteAddresses>(&body.addresses)) {
      text += " exist=" + quoted(all->exist);
    } else if (const auto* changes = std::get_if<AddressChanges>(&body.addresses)) {
      text += " add=" + quoted(changes->add) + " del=" + quoted(changes->del);
    }
    return text;
  }
};

}  // namespace

std::string_view opcode(const ControlBody& body) {
  return std::visit([](const auto& held) { return kOpcode<std::decay_t<decltype(held)>>; }, body);
}

const std::string& sender(const ControlBody& body) {
  return std::visit([](const auto& held) -> const std::string& { return held.id; }, body);
}

std::int64_t version(const ControlBody& body) {
  return std::visit([](const auto& held) { return held.version; }, body);
}

std::string to_string(const ControlBody& body) {
  return fmt::format("{}(id={} pv={} area=0{})", opcode(body), sender(body), version(body),
                     std::visit(Details{}, body));
}

}  // namespace knetsim::skupper::wire
