#include "wire/control.h"

#include <fmt/format.h>

#include <limits>

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

constexpr const char* kArea = "0";

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

/// skrouterd has two writers. The Python engine (HELLO, RA, LSR, LSU) writes map keys as strings, numbers as int where
/// they fit and else as long, an empty list as list0, and a properties section of six fields; mobile_sync, in C (MAR,
/// MAU), writes keys as symbols, numbers as long, any list as list32, and three fields.
struct PythonStyle {
  static constexpr auto kEmptyList = Encoder::EmptyList::list0;
  static constexpr std::size_t kPropertyFields = 6;
  static Value key(std::string_view name) { return name; }
  static Value number(std::int64_t value) {
    if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
      return value;
    return static_cast<std::int32_t>(value);
  }
};
struct MobileStyle {
  static constexpr auto kEmptyList = Encoder::EmptyList::list32;
  static constexpr std::size_t kPropertyFields = 3;
  static Value key(std::string_view name) { return Symbol{std::string(name)}; }
  static Value number(std::int64_t value) { return value; }
};

template <typename Style>
Map head(const std::string& id, std::int64_t version) {
  return {{Style::key("id"), id}, {Style::key("pv"), Style::number(version)}, {Style::key("area"), kArea}};
}

template <typename Style>
void add(Map& map, std::string_view name, Value value) {
  map.emplace_back(Style::key(name), std::move(value));
}
template <typename Style>
void add_number(Map& map, std::string_view name, std::int64_t number) {
  add<Style>(map, name, Style::number(number));
}

using Python = PythonStyle;
using Mobile = MobileStyle;

Value map_of(const LinkState& state) {
  Map peers;
  for (const auto& [peer, cost] : state.peers) add_number<Python>(peers, peer, cost);
  Map map{{"id", state.id}, {"area", kArea}};
  add_number<Python>(map, "ls_seq", state.ls_seq);
  add<Python>(map, "peers", std::move(peers));
  return map;
}

Value entry(const AddressEntry& address) { return List{address.key, address.treatment, address.inlinks}; }

List entries(const std::vector<AddressEntry>& addresses) {
  List list;
  for (const auto& address : addresses) list.push_back(entry(address));
  return list;
}

Map map_of(const Hello& body) {
  auto map = head<Python>(body.id, body.version);
  add_number<Python>(map, "instance", body.instance);
  add<Python>(map, "seen", List(body.seen.begin(), body.seen.end()));
  return map;
}

Map map_of(const RouterAdvertisement& body) {
  auto map = head<Python>(body.id, body.version);
  add_number<Python>(map, "instance", body.instance);
  add_number<Python>(map, "ls_seq", body.ls_seq);
  add_number<Python>(map, "mobile_seq", body.mobile_seq);
  return map;
}

Map map_of(const LinkStateRequest& body) { return head<Python>(body.id, body.version); }

Map map_of(const LinkStateUpdate& body) {
  auto map = head<Python>(body.id, body.version);
  add_number<Python>(map, "instance", body.instance);
  add_number<Python>(map, "ls_seq", body.ls_seq);
  add<Python>(map, "ls", map_of(body.link_state));
  return map;
}

Map map_of(const MobileAddressRequest& body) {
  auto map = head<Mobile>(body.id, body.version);
  add_number<Mobile>(map, "have_seq", body.have_seq);
  return map;
}

Map map_of(const MobileAddressUpdate& body) {
  auto map = head<Mobile>(body.id, body.version);
  add_number<Mobile>(map, "mobile_seq", body.mobile_seq);
  std::visit(Overloaded{[&](const AbsoluteAddresses& all) { add<Mobile>(map, "exist", entries(all.exist)); },
                        [&](const AddressChanges& changes) {
                          List deleted;
                          for (const auto& key : changes.del) deleted.emplace_back(list_of(key));
                          add<Mobile>(map, "add", entries(changes.add));
                          add<Mobile>(map, "del", std::move(deleted));
                        }},
             body.addresses);
  return map;
}

template <typename Style, typename Body>
std::string message(const ControlMessage& control, const Body& body) {
  Encoder encoder(Style::kEmptyList);
  encoder.section(code(Section::header), list_of(false));  // durable
  List properties{Value(), Value(), control.to};
  properties.resize(Style::kPropertyFields);
  encoder.section(code(Section::properties), properties);
  encoder.section(code(Section::application_properties), Map{{Style::key("opcode"), opcode(control.body)}});
  encoder.section(code(Section::amqp_value), map_of(body));
  return encode(control.annotations) + encoder.take();
}

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

std::string encode(const ControlMessage& control) {
  return std::visit(Overloaded{[&](const MobileAddressRequest& body) { return message<Mobile>(control, body); },
                               [&](const MobileAddressUpdate& body) { return message<Mobile>(control, body); },
                               [&](const auto& body) { return message<Python>(control, body); }},
                    control.body);
}

}  // namespace knetsim::skupper::wire
