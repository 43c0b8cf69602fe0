#include "host_local.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <set>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim::cni {

namespace fs = std::filesystem;

namespace {

std::string owner_of(const std::string& container_id, const std::string& ifname) {
  return container_id + "\r\n" + ifname;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

struct Range {
  Address first;
  Address last;
};

Address all_ones(const Network& network) {
  const auto fill = [&](auto bytes) {
    for (auto bit = prefix_length(network); bit < bytes.size() * 8; ++bit)
      bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] | (0x80U >> (bit % 8)));
    return bytes;
  };
  const auto base = address_of(canonical(network));
  if (base.is_v6()) return boost::asio::ip::address_v6(fill(base.to_v6().to_bytes()));
  return boost::asio::ip::address_v4(fill(base.to_v4().to_bytes()));
}

// IPv4's last address is the broadcast one; IPv6 has none.
Range range_of(const Network& subnet) {
  if (prefix_length(subnet) > (is_v6(subnet) ? 126U : 30U))
    throw knetsim::Error(fmt::format("Network {} too small to allocate from", knetsim::to_string(subnet)));
  auto last = all_ones(subnet);
  if (last.is_v4()) last = boost::asio::ip::address_v4(last.to_v4().to_uint() - 1);
  return {.first = address_of(gateway_of(subnet)), .last = last};
}

}  // namespace

bool HostLocal::has_allocations() const {
  std::error_code ignored;  // what can't be reached, lock() tells
  return fs::status(directory_, ignored).type() != fs::file_type::not_found;
}

Fd HostLocal::lock() const { return lock_file(directory_ / "lock"); }

std::vector<std::pair<Address, std::string>> HostLocal::owners() const {
  std::vector<std::pair<Address, std::string>> all;
  for (const auto& file : list_directory(directory_)) {
    boost::system::error_code not_an_address;
    const auto address = boost::asio::ip::make_address(file.filename().string(), not_an_address);
    if (!not_an_address) all.emplace_back(address, trimmed(read_file(file)));
  }
  return all;
}

std::vector<Address> HostLocal::owned_by(const std::string& owner) const {
  std::vector<Address> owned;
  for (const auto& [address, holder] : owners())
    if (holder == owner) owned.push_back(address);
  return owned;
}

std::optional<Address> HostLocal::last_reserved(std::size_t range) const {
  try {
    boost::system::error_code garbled;
    const auto text = read_file(directory_ / fmt::format("last_reserved_ip.{}", range));
    const auto address = boost::asio::ip::make_address(trimmed(text), garbled);
    return garbled ? std::nullopt : std::optional(address);
  } catch (const SystemError& error) {
    if (error.error() == ENOENT) return std::nullopt;
    throw;
  }
}

bool HostLocal::take(const Address& address, const std::string& owner) const {
  const auto path = directory_ / address.to_string();
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file && errno == EEXIST) return false;
  if (!file) throw SystemError("create", path.string());
  if (::write(file.get(), owner.data(), owner.size()) != static_cast<ssize_t>(owner.size())) {
    const SystemError error("write", path.string());
    ::unlink(path.c_str());
    throw error;
  }
  return true;
}

Address HostLocal::next_free(const std::string& owner, std::size_t range, const Network& subnet) const {
  const auto [first, last] = range_of(subnet);
  const auto& gateway = first;
  const auto successor = [first = first, last = last](const Address& a) { return a == last ? first : advance(a, 1); };
  const auto previous = last_reserved(range);
  const bool usable = previous && contains(subnet, *previous) && *previous >= first && *previous <= last;
  const auto start = usable ? successor(*previous) : first;
  auto candidate = start;
  do {
    if (candidate != gateway && take(candidate, owner)) return candidate;
    candidate = successor(candidate);
  } while (candidate != start);
  throw knetsim::Error(fmt::format("failed to allocate for range {}: no IP addresses available in range set: {}-{}",
                                   range, first.to_string(), last.to_string()));
}

std::vector<Address> HostLocal::reserve(const std::string& container_id, const std::string& ifname,
                                        const std::vector<Network>& subnets) const {
  const auto held_by_all = lock();
  const auto owner = owner_of(container_id, ifname);
  if (const auto owned = owned_by(owner); !owned.empty())
    throw knetsim::Error(
        fmt::format("failed to allocate for range 0: {} has been allocated to {}, duplicate allocation is not "
                    "allowed",
                    owned.front().to_string(), container_id));
  std::vector<Address> reserved;
  try {
    for (std::size_t range = 0; range < subnets.size(); ++range) {
      reserved.push_back(next_free(owner, range, subnets[range]));
      write_file_atomically(directory_ / fmt::format("last_reserved_ip.{}", range), reserved.back().to_string());
    }
  } catch (...) {
    for (const auto& address : reserved) ::unlink((directory_ / address.to_string()).c_str());
    throw;
  }
  return reserved;
}

std::vector<Address> HostLocal::held(const std::string& container_id, const std::string& ifname) const {
  if (!has_allocations()) return {};
  const auto held_by_all = lock();
  return owned_by(owner_of(container_id, ifname));
}

void HostLocal::release(const std::string& container_id, const std::string& ifname) const {
  if (!has_allocations()) return;
  const auto held_by_all = lock();
  for (const auto& address : owned_by(owner_of(container_id, ifname)))
    ::unlink((directory_ / address.to_string()).c_str());
}

void HostLocal::release_all_but(const std::vector<AttachmentId>& valid) const {
  if (!has_allocations()) return;
  std::set<std::string> holders;
  for (const auto& id : valid) holders.insert(owner_of(id.container_id, id.ifname));
  const auto held_by_all = lock();
  for (const auto& [address, holder] : owners())
    if (!holders.contains(holder)) ::unlink((directory_ / address.to_string()).c_str());
}

Fd lock_file(const std::filesystem::path& path) {
  make_directories(path.parent_path());
  Fd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0750));
  if (!file) throw SystemError("open", path.string());
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw SystemError("lock", path.string());
  return file;
}

}  // namespace knetsim::cni
