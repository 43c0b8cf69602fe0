#include "facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <sstream>
#include <string_view>
#include <vector>

#include "knetsim/netlink/queue.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/text.h"

namespace knetsim::explain {

namespace {

std::string file_text(const std::string& path) {
  try {
    return read_file(path);
  } catch (const SystemError&) {
    return {};  // a kernel without it
  }
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

long number_of(std::string_view text, int base = 10) {
  long number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, base);
  return number;
}

/// "Ip: Forwarding DefaultTTL" and below it "Ip: 1 64".
void read_pairs(const std::string& text, std::map<std::string, long>& counters) {
  std::istringstream lines(text);
  std::string names;
  std::string values;
  while (std::getline(lines, names) && std::getline(lines, values)) {
    const auto name = words_of(names);
    const auto value = words_of(values);
    if (name.empty()) continue;
    const auto group = name.front().substr(0, name.front().find(':'));
    for (std::size_t i = 1; i < std::min(name.size(), value.size()); ++i)
      counters[group + "." + name[i]] = number_of(value[i]);
  }
}

void read_links(const std::string& text, std::map<std::string, long>& counters) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto value = words_of(line.substr(colon + 1));
    if (value.size() < 16) continue;
    const auto name = std::string(trim(line.substr(0, colon)));
    for (const auto& [what, column] :
         {std::pair{"rx_errors", 2}, {"rx_dropped", 3}, {"tx_errors", 10}, {"tx_dropped", 11}})
      counters[name + "." + what] = number_of(value[static_cast<std::size_t>(column)]);
  }
}

/// A line of names, then one for each CPU, in hexadecimal.
void read_conntrack(const std::string& text, std::map<std::string, long>& counters) {
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line)) return;
  const auto names = words_of(line);
  while (std::getline(lines, line)) {
    const auto values = words_of(line);
    for (std::size_t i = 1; i < std::min(names.size(), values.size()); ++i)
      counters["conntrack." + names[i]] += number_of(values[i], 16);
  }
}

/// "0100007F:1F90": an address in the kernel's words of 32 bits, and a port.
std::pair<Address, std::uint16_t> socket_end(const std::string& text) {
  const auto colon = text.find(':');
  const auto octets = text.substr(0, colon);
  const auto port = static_cast<std::uint16_t>(number_of(std::string_view(text).substr(colon + 1), 16));
  std::vector<std::uint8_t> bytes;
  for (std::size_t word = 0; word + 8 <= octets.size(); word += 8)
    for (std::size_t byte = 0; byte < 4; ++byte)
      bytes.push_back(
          static_cast<std::uint8_t>(number_of(std::string_view(octets).substr(word + 6 - 2 * byte, 2), 16)));
  if (bytes.size() == 16) {
    boost::asio::ip::address_v6::bytes_type v6;
    std::copy(bytes.begin(), bytes.end(), v6.begin());
    return {boost::asio::ip::address_v6(v6), port};
  }
  boost::asio::ip::address_v4::bytes_type v4{};
  std::copy_n(bytes.begin(), std::min<std::size_t>(bytes.size(), 4), v4.begin());
  return {boost::asio::ip::address_v4(v4), port};
}

void read_sockets(const std::string& text, Protocol protocol, std::vector<Listener>& listeners) {
  constexpr std::string_view kListen = "0A";
  constexpr std::string_view kUnconnected = "07";
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const auto words = words_of(line);
    if (words.size() < 5 || words[1].find(':') == std::string::npos) continue;
    if (words[3] != (protocol == Protocol::tcp ? kListen : kUnconnected)) continue;
    const auto [address, port] = socket_end(words[1]);
    const auto waiting = words[4].substr(words[4].find(':') + 1);
    listeners.push_back({protocol, address, port, static_cast<std::uint32_t>(number_of(waiting, 16))});
  }
}

/// By path: a link's name may have dots.
int sysctl_number(const std::string& path) { return static_cast<int>(number_of(file_text("/proc/sys/" + path))); }

}  // namespace

std::map<std::string, long> counters_of(const NetNs& netns) {
  std::map<std::string, long> counters;
  netns.run([&] {
    const std::string net = "/proc/thread-self/net/";
    read_pairs(file_text(net + "snmp"), counters);
    read_pairs(file_text(net + "netstat"), counters);
    read_links(file_text(net + "dev"), counters);
    read_conntrack(file_text(net + "stat/nf_conntrack"), counters);
  });
  netlink::Socket socket(netns);
  const auto dropped = netlink::packets_dropped_by_queues(socket);
  if (dropped.empty()) return counters;
  for (const auto& link : netlink::list_links(socket))
    if (const auto found = dropped.find(link.index); found != dropped.end())
      counters[link.name + ".queue_dropped"] = static_cast<long>(found->second);
  return counters;
}

PlaceFacts facts_of(const NetNs& netns, const std::string& name) {
  PlaceFacts facts;
  netlink::Socket socket(netns, name);
  facts.links = netlink::list_links(socket);
  facts.addresses = netlink::list_addresses(socket);
  facts.neighbours = netlink::list_neighbours(socket);
  facts.fdb = netlink::list_fdb(socket);
  facts.routes = netlink::list_routes(socket, 0, RT_TABLE_UNSPEC);
  netns.run([&] {
    const std::string net = "/proc/thread-self/net/";
    for (const auto& [file, protocol] :
         {std::pair{"tcp", Protocol::tcp}, {"tcp6", Protocol::tcp}, {"udp", Protocol::udp}, {"udp6", Protocol::udp}})
      read_sockets(file_text(net + file), protocol, facts.listeners);
    for (const bool v6 : {false, true}) {
      auto& family = v6 ? facts.v6 : facts.v4;
      const auto told = [](std::string sysctl) {
        std::replace(sysctl.begin(), sysctl.end(), '.', '/');
        return sysctl_number(sysctl) != 0;
      };
      family.forwards = told(forwarding_sysctl(v6));
      family.ignores_echo = told(ignored_echo_sysctl(v6));
    }
    facts.rp_filter["all"] = sysctl_number("net/ipv4/conf/all/rp_filter");
    for (const auto& link : facts.links)
      facts.rp_filter[link.name] = sysctl_number("net/ipv4/conf/" + link.name + "/rp_filter");
  });
  return facts;
}

std::map<std::pair<std::string, std::uint64_t>, std::string> rules_of(const NetNs& netns) {
  std::map<std::pair<std::string, std::uint64_t>, std::string> rules;
  std::string listing;
  try {
    listing =
        exec({.argv = {"nft", "--handle", "--terse", "list", "ruleset"}, .netns = &netns}, std::chrono::seconds(5)).out;
  } catch (const Error&) {
    return rules;
  }
  std::istringstream lines(listing);
  std::string table;
  for (std::string line; std::getline(lines, line);) {
    const auto text = std::string(trim(line));
    constexpr std::string_view kHandle = " # handle ";
    const auto at = text.rfind(kHandle);
    if (at == std::string::npos) continue;
    const auto handle = static_cast<std::uint64_t>(number_of(std::string_view(text).substr(at + kHandle.size())));
    const auto before = text.substr(0, at);
    if (before.starts_with("table ")) {
      const auto words = words_of(before);
      table = words.size() > 2 ? words[1] + " " + words[2] : "";
    } else if (!before.ends_with("{")) {
      rules[{table, handle}] = before;
    }
  }
  return rules;
}

}  // namespace knetsim::explain
