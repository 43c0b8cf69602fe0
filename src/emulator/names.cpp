#include "knetsim/emulator/names.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <string_view>

#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {

namespace {

// What else a container was called when it was made couldn't stand in a hosts file.
bool fits_into_hosts(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
  });
}

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

std::string Names::folded(std::string name) {
  for (auto& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

// "w1" of "C0w1"; empty if nothing is left that could be told from an option or a number ("-1" of "shop-1").
std::string Names::without_cluster(const std::string& name) const {
  if (!name.starts_with(first_cluster_)) return {};
  auto rest = name.substr(first_cluster_.size());
  return !rest.empty() && std::isalpha(static_cast<unsigned char>(rest.front())) != 0 ? rest : std::string{};
}

void Names::add_nodes(const std::vector<std::pair<std::string, std::vector<Address>>>& nodes) {
  for (const auto& [name, addresses] : nodes) owners_.emplace(folded(name), name);
  for (const auto& [name, addresses] : nodes) add(name, {without_cluster(name)}, addresses);
}

void Names::add_container(const std::string& cluster, const std::string& name, const std::vector<Address>& addresses) {
  const auto slash = name.find('/');
  const auto worker = name.substr(0, slash);
  const auto short_name = name.substr(slash + 1);
  std::vector<std::string> others{short_name + "." + worker, short_name + "." + cluster};
  if (const auto bare = without_cluster(worker); find(bare) == worker) {
    others.push_back(bare + "/" + short_name);
    others.push_back(short_name + "." + bare);
  }
  add(name, others, addresses);
}

void Names::add(const std::string& name, const std::vector<std::string>& others,
                const std::vector<Address>& addresses) {
  std::string own;
  const auto claim = [&](const std::string& one) {
    const auto key = folded(one);
    if (one.empty() || owners_.emplace(key, name).first->second != name || !fits_into_hosts(one)) return;
    own += " " + one;
    // musl's resolver compares case, and a URL's host comes in lower case.
    if (key != one) own += " " + key;
  };
  claim(name);
  for (const auto& one : others)
    if (one != name) claim(one);
  std::string lines;
  if (!own.empty())
    for (const auto& address : addresses) lines += address.to_string() + own + "\n";
  entries_.push_back({name, std::move(lines)});
}

void Names::remove(const std::string& name) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.name == name; });
  std::erase_if(owners_, [&](const auto& owned) { return owned.second == name; });
}

std::optional<std::string> Names::find(const std::string& name) const {
  const auto found = owners_.find(folded(name));
  return found != owners_.end() ? std::optional(found->second) : std::nullopt;
}

std::string Names::hosts() const {
  std::string text;
  for (const auto& entry : entries_) text += entry.hosts;
  return text;
}

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

HostsFile::HostsFile(std::string first_cluster)
    : names_(std::move(first_cluster)), file_(::open(kHostsFile, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC)) {
  if (!file_) throw SystemError("write the sandbox's names", kHostsFile);
}

void HostsFile::add_nodes(const std::vector<Node*>& nodes) {
  const std::scoped_lock lock(mutex_);
  std::vector<std::pair<std::string, std::vector<Address>>> named;
  for (const auto* node : nodes) named.emplace_back(node->name(), node->addresses());
  names_.add_nodes(named);
  write();
}

void HostsFile::add_container(const std::string& cluster, const Node& container) {
  const std::scoped_lock lock(mutex_);
  names_.add_container(cluster, container.name(), container.addresses());
  write();
}

void HostsFile::remove(const Node& container) {
  const std::scoped_lock lock(mutex_);
  names_.remove(container.name());
  write();
}

std::optional<std::string> HostsFile::find(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  return names_.find(name);
}

// In place, since the file is mounted where programs look for it. Blanks take the place of what goes, until it is cut
// off: at no moment does a reader see half a line that wasn't there.
void HostsFile::write() {
  auto text = kLocalHosts + names_.hosts();
  const auto size = text.size();
  text.resize(std::max(size, size_), '\n');
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::pwrite(file_.get(), text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (count < 0) throw SystemError("write the sandbox's names", kHostsFile);
    done += static_cast<std::size_t>(count);
  }
  if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) throw SystemError("cut off", kHostsFile);
  size_ = size;
}

}  // namespace knetsim
