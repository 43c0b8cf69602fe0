#include "name_rules.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <string_view>

#include "knetsim/emulator/names.h"

namespace knetsim {

namespace {

struct Taken {
  std::string_view name;
  std::string_view by;
};

// Names that every network namespace has, or may have, from its beginning; /proc/sys/net/*/conf has a directory for
// each link beside "all" and "default".
constexpr std::array<Taken, 16> kLinks{{
    {"lo", "the loopback link"},
    {"all", "the kernel, for all links in /proc/sys/net"},
    {"default", "the kernel, for links to come in /proc/sys/net"},
    {"bonding_masters", "the kernel, for a file in /sys/class/net"},
    {"any", "tcpdump, for all links"},
    {"tunl0", "the kernel, for a tunnel"},
    {"gre0", "the kernel, for a tunnel"},
    {"gretap0", "the kernel, for a tunnel"},
    {"erspan0", "the kernel, for a tunnel"},
    {"sit0", "the kernel, for a tunnel"},
    {"ip_vti0", "the kernel, for a tunnel"},
    {"ip6_vti0", "the kernel, for a tunnel"},
    {"ip6tnl0", "the kernel, for a tunnel"},
    {"ip6gre0", "the kernel, for a tunnel"},
    {"etcdctl", "the emulation, for a program in its directory"},
    {"skupper", "the emulation, for the routers' directory"},
}};

// Names of hosts that resolvers answer by themselves.
constexpr std::array<Taken, 5> kHosts{{
    {"localhost", "every host, for itself"},
    {"ip6-localhost", "every host, for itself"},
    {"ip6-loopback", "every host, for itself"},
    {"ip6-allnodes", "every host, for all nodes"},
    {"ip6-allrouters", "every host, for all routers"},
}};

// A container's log lies in its worker's directory, under its name.
constexpr std::array<Taken, 2> kLogs{{
    {"flanneld", "flannel's daemon, for its log"},
    {"background", "what runs in the background, for its log"},
}};

template <std::size_t size>
const Taken* find_taken(const std::array<Taken, size>& all, std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [name](const Taken& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

// What the emulation itself calls links of the underlay (cables between switches, leaf bridges) and the namespaces of
// containers.
bool is_the_emulations(const std::string& name) {
  static const std::regex reserved("(up|down)[0-9]+|leaf[0-9]+[.][0-9]+|k[0-9]+_.*");
  return std::regex_match(name, reserved);
}

bool is_letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

}  // namespace

std::optional<NameFault> name_fault(const std::string& name, Named named) {
  // A node's name becomes the name of its switch port, which holds 15 characters (IFNAMSIZ - 1).
  if (name.empty() || name.size() > 15) return NameFault{"a name has 1 to 15 characters", "choose another one"};
  for (const char c : name)
    if (!is_letter_or_digit(c) && c != '-' && c != '_' && c != '.')
      return NameFault{"a name is made of letters, digits, '-', '_' and '.'", "choose another one"};
  if (!is_letter_or_digit(name.front()) || !is_letter_or_digit(name.back()))
    return NameFault{"a name begins and ends with a letter or a digit: programs take others for options or files",
                     "choose another one"};
  if (name.find("..") != std::string::npos)
    return NameFault{"has two dots side by side, which no host's name has (RFC 1123)", "leave one away"};
  in_addr address{};
  if (::inet_aton(name.c_str(), &address) != 0)
    return NameFault{"programs take it for an IP address", "begin it with a letter"};
  const auto lower = Names::folded(name);
  const Taken* taken = nullptr;
  if (named == Named::link) {
    if (is_the_emulations(name))
      return NameFault{"the emulation uses such names itself: up1, down1, leaf1.2, k0_...", "choose another one"};
    taken = find_taken(kLinks, name);
  }
  if (named == Named::container) taken = find_taken(kLogs, name);
  if (named != Named::cluster && taken == nullptr) taken = find_taken(kHosts, lower);
  if (taken != nullptr) return NameFault{fmt::format("this name is taken by {}", taken->by), "choose another one"};
  return std::nullopt;
}

}  // namespace knetsim
