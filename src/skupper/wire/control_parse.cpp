#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "wire/control.h"

namespace knetsim::skupper::wire {

namespace {

// What skrouterd allows (qd_router.c): ids travel in annotations, addresses and logs.
constexpr std::size_t kMaxId = 127;

/// The fields of a body, or of a map in it. `name` is for messages: "RA", "LSU's ls".
class Fields {
 public:
  Fields(std::string_view name, const Value& value) : name_(name), map_(value.get_if<Map>()) {
    if (!map_) throw ProtocolError(fmt::format("malformed {}: it is {}, not a map", name_, to_string(value)));
  }

  std::string id(std::string_view key) const {
    const auto& value = mandatory(key);
    const auto text = as_text(value);
    if (!text) wrong(key, value, "a string");
    return check_id(key, *text);
  }

  std::string check_id(std::string_view key, std::string_view text) const {
    const auto acceptable = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '/'; };
    if (text.empty() || text.size() > kMaxId || !std::all_of(text.begin(), text.end(), acceptable))
      wrong(key, text, "a router's id");
    return std::string(text);
  }

  /// Sequence numbers, instances, versions, costs: none of them may be negative.
  std::int64_t number(std::string_view key) const { return to_number(key, mandatory(key)); }
  std::int64_t number_or(std::string_view key, std::int64_t otherwise) const {
    const auto* value = find(*map_, key);
    return value && !value->is_null() ? to_number(key, *value) : otherwise;
  }

  const List& list(std::string_view key) const { return to_list(key, mandatory(key)); }
  /// Null if there is none.
  const List* optional_list(std::string_view key) const {
    const auto* value = find(*map_, key);
    return value && !value->is_null() ? &to_list(key, *value) : nullptr;
  }
  const Map& map(std::string_view key) const {
    const auto& value = mandatory(key);
    const auto* held = value.get_if<Map>();
    if (!held) wrong(key, value, "a map");
    return *held;
  }
  const Value& mandatory(std::string_view key) const {
    const auto* value = find(*map_, key);
    if (!value) throw ProtocolError(fmt::format("malformed {}: it has no {}", name_, key));
    return *value;
  }

  std::int64_t to_number(std::string_view key, const Value& value) const {
    const auto number = as_integer(value);
    if (!number || *number < 0) wrong(key, value, "a number of 0 or more");
    return *number;
  }

  [[noreturn]] void wrong(std::string_view key, const Value& value, std::string_view expected) const {
    throw ProtocolError(fmt::format("malformed {}: its {} is {}, not {}", name_, key, to_string(value), expected));
  }

 private:
  const List& to_list(std::string_view key, const Value& value) const {
    const auto* held = value.get_if<List>();
    if (!held) wrong(key, value, "a list");
    return *held;
  }

  std::string_view name_;
  const Map* map_;
};

Hello parse_hello(const Fields& fields) {
  Hello hello{fields.id("id"), fields.number_or("pv", 0), fields.number_or("instance", 0), {}};
  for (const auto& peer : fields.list("seen")) {
    const auto text = as_text(peer);
    if (!text) fields.wrong("seen", peer, "a router's id");
    hello.seen.push_back(fields.check_id("seen", *text));
  }
  return hello;
}

RouterAdvertisement parse_advertisement(const Fields& fields) {
  return {fields.id("id"), fields.number_or("pv", 0), fields.number_or("instance", 0), fields.number("ls_seq"),
          fields.number("mobile_seq")};
}

LinkStateRequest parse_request(const Fields& fields) { return {fields.id("id"), fields.number_or("pv", 0)}; }

LinkState parse_link_state(const Fields& fields) {
  LinkState state{fields.id("id"), fields.number("ls_seq"), {}};
  for (const auto& [peer, cost] : fields.map("peers")) {
    const auto name = as_text(peer);
    if (!name) fields.wrong("peers", peer, "a router's id");
    const auto number = fields.to_number("peers", cost);
    // Costs are added up along paths.
    if (number < 1 || number > std::numeric_limits<std::int32_t>::max()) fields.wrong("peers", cost, "a cost");
    state.peers.insert_or_assign(fields.check_id("peers", *name), number);
  }
  return state;
}

LinkStateUpdate parse_update(const Fields& fields) {
  LinkStateUpdate update{fields.id("id"), fields.number_or("pv", 0), fields.number_or("instance", 0),
                         fields.number("ls_seq"), parse_link_state({"LSU's ls", fields.mandatory("ls")})};
  if (update.link_state.id != update.id) fields.wrong("ls", update.link_state.id, "the sender's own");
  return update;
}

MobileAddressRequest parse_mobile_request(const Fields& fields) {
  return {fields.id("id"), fields.number_or("pv", 0), fields.number("have_seq")};
}

/// The list [key, treatment, inlinks]; the last two may be missing, and later versions may add more.
AddressEntry parse_entry(const Fields& fields, std::string_view key, const Value& value) {
  const auto* list = value.get_if<List>();
  const auto name = list && !list->empty() ? as_text(list->front()) : std::nullopt;
  if (!name || name->empty()) fields.wrong(key, value, "a list that begins with an address");
  AddressEntry entry;
  entry.key = *name;
  const auto number = [&](std::size_t index, std::int32_t& into) {
    if (index >= list->size() || (*list)[index].is_null()) return;
    const auto given = as_integer((*list)[index]);
    if (!given || *given < 0 || *given > std::numeric_limits<std::int32_t>::max())
      fields.wrong(key, value, "an address with its treatment and links");
    into = static_cast<std::int32_t>(*given);
  };
  number(1, entry.treatment);
  number(2, entry.inlinks);
  return entry;
}

std::vector<AddressEntry> parse_entries(const Fields& fields, std::string_view key, const List& list) {
  std::vector<AddressEntry> entries;
  for (const auto& value : list) entries.push_back(parse_entry(fields, key, value));
  return entries;
}

MobileAddressUpdate parse_mobile_update(const Fields& fields) {
  MobileAddressUpdate update{fields.id("id"), fields.number_or("pv", 0), fields.number("mobile_seq"), {}};
  const auto* exist = fields.optional_list("exist");
  const auto* add = fields.optional_list("add");
  const auto* del = fields.optional_list("del");
  if (exist && !add && !del) {
    update.addresses = AbsoluteAddresses{parse_entries(fields, "exist", *exist)};
  } else if (!exist && add && del) {
    AddressChanges changes{parse_entries(fields, "add", *add), {}};
    for (auto& entry : parse_entries(fields, "del", *del)) changes.del.push_back(std::move(entry.key));
    update.addresses = std::move(changes);
  } else {
    throw ProtocolError("malformed MAU: it needs either exist, or both add and del");
  }
  return update;
}

}  // namespace

ControlBody parse_body(std::string_view opcode, const Value& body) {
  const auto fields = [&] { return Fields(opcode, body); };
  if (opcode == "HELLO") return parse_hello(fields());
  if (opcode == "RA") return parse_advertisement(fields());
  if (opcode == "LSR") return parse_request(fields());
  if (opcode == "LSU") return parse_update(fields());
  if (opcode == "MAR") return parse_mobile_request(fields());
  if (opcode == "MAU") return parse_mobile_update(fields());
  throw ProtocolError(fmt::format("unknown opcode {}", to_string(Value(opcode))));
}

ControlMessage parse_control(std::string_view bytes) {
  auto [message, length] = parse_message(bytes);
  if (length != bytes.size())
    throw ProtocolError(fmt::format("{} bytes follow the control message", bytes.size() - length));
  const auto* opcode = find(message.application_properties, "opcode");
  const auto text = opcode ? as_text(*opcode) : std::nullopt;
  if (!text) throw ProtocolError("the control message has no opcode");
  return {std::move(message.annotations), std::move(message.properties.to), parse_body(*text, message.body)};
}

}  // namespace knetsim::skupper::wire
