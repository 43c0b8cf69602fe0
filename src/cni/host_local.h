#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/cni/runtime.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/network.h"

namespace knetsim::cni {

/// Addresses handed out on one worker, one file each, in the format of the plugin host-local 1.1.1:
/// <dataDir>/<network>/
/// {<ip>: "<container>\r\n<ifname>", last_reserved_ip.<n>, lock}. Other processes, also host-local itself, may work on
/// the same directory at once.
class HostLocal {
 public:
  HostLocal(const std::filesystem::path& data_dir, const std::string& network) : directory_(data_dir / network) {}

  /// The next free address of each subnet, after the one handed out last; all or, with an Error, none. The subnet's
  /// first address is the gateway's.
  std::vector<Address> reserve(const std::string& container_id, const std::string& ifname,
                               const std::vector<Network>& subnets) const;
  /// What it holds now, in no order.
  std::vector<Address> held(const std::string& container_id, const std::string& ifname) const;
  /// Nothing held is no error.
  void release(const std::string& container_id, const std::string& ifname) const;
  /// What none of `valid` holds.
  void release_all_but(const std::vector<AttachmentId>& valid) const;

 private:
  bool has_allocations() const;
  Fd lock() const;
  std::optional<Address> last_reserved(std::size_t range) const;
  Address next_free(const std::string& owner, std::size_t range, const Network& subnet) const;
  bool take(const Address& address, const std::string& owner) const;
  std::vector<std::pair<Address, std::string>> owners() const;
  std::vector<Address> owned_by(const std::string& owner) const;

  std::filesystem::path directory_;
};

/// Waits for its turn: holds flock(2) on the file, which is made if need be, until the descriptor is closed. Excludes
/// other threads as well as other processes.
Fd lock_file(const std::filesystem::path& path);

}  // namespace knetsim::cni
