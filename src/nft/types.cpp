#include "knetsim/nft/types.h"

#include <array>

#include "knetsim/sys/error.h"

namespace knetsim::nft {

namespace {

struct TypeTraits {
  Type type;
  std::string_view name;
  std::size_t size;
  bool host_order;
};

constexpr std::array kTraits{
    TypeTraits{Type::integer, "integer", 4, true},
    TypeTraits{Type::ipv4_addr, "ipv4_addr", 4, false},
    TypeTraits{Type::ipv6_addr, "ipv6_addr", 16, false},
    TypeTraits{Type::inet_proto, "inet_proto", 1, false},
    TypeTraits{Type::inet_service, "inet_service", 2, false},
    TypeTraits{Type::mark, "mark", 4, true},
    TypeTraits{Type::ct_state, "ct_state", 4, true},
    TypeTraits{Type::ct_status, "ct_status", 4, true},
    TypeTraits{Type::fib_addrtype, "fib_addrtype", 4, true},
    TypeTraits{Type::ifname, "ifname", 16, true},
};

const TypeTraits& traits(Type type) {
  for (const TypeTraits& candidate : kTraits)
    if (candidate.type == type) return candidate;
  throw InputError("nft: unknown data type " + std::to_string(static_cast<std::uint32_t>(type)));
}

}  // namespace

std::string_view to_string(Family family) {
  switch (family) {
    case Family::inet:
      return "inet";
    case Family::ip:
      return "ip";
    case Family::ip6:
      return "ip6";
  }
  return "?";
}

std::string_view to_string(Type type) { return traits(type).name; }

std::string to_string(const Types& types) {
  std::string text;
  for (const Type type : types) {
    if (!text.empty()) text += " . ";
    text += to_string(type);
  }
  return text;
}

std::size_t size_of(Type type) { return traits(type).size; }

std::size_t size_of(const Types& types) {
  if (types.size() == 1) return size_of(types.front());
  std::size_t size = 0;
  for (const Type type : types) size += (size_of(type) + 3) / 4 * 4;
  return size;
}

Type address_type(Family family) {
  if (family == Family::inet) throw InputError("nft: family inet has no address type of its own: say ip or ip6");
  return family == Family::ip6 ? Type::ipv6_addr : Type::ipv4_addr;
}

bool in_host_order(Type type) { return traits(type).host_order; }

}  // namespace knetsim::nft
