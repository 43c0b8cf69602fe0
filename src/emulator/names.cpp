#include "knetsim/emulator/names.h"

#include <algorithm>
#include <cctype>

namespace knetsim {

namespace {

// What else a container was called when it was made couldn't stand in a hosts file.
bool fits_into_hosts(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
  });
}

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

}  // namespace knetsim
