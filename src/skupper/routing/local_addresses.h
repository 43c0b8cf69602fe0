#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "wire/control.h"

namespace knetsim::skupper::routing {

/// The addresses that have consumers at this router, and what of them the others have been told.
class LocalAddresses {
 public:
  struct Address {
    std::size_t consumers = 0;
    wire::Treatment treatment = wire::Treatment::balanced;
  };

  explicit LocalAddresses(std::int64_t first_sequence) : sequence_(first_sequence) {}

  void add(const std::string& key, wire::Treatment treatment);
  void remove(const std::string& key);
  const std::map<std::string, Address>& all() const { return addresses_; }

  std::int64_t sequence() const { return sequence_; }
  /// As announced at sequence(): without the changes that are still to come.
  wire::AbsoluteAddresses announced() const;
  bool has_changes() const { return !added_.empty() || !removed_.empty(); }
  /// What changed since the last call; raises sequence() by one.
  wire::AddressChanges take_changes();

 private:
  std::int64_t sequence_;
  std::map<std::string, Address> addresses_;
  std::set<std::string> added_;                     ///< not announced yet
  std::map<std::string, wire::Treatment> removed_;  ///< announced, but gone
};

}  // namespace knetsim::skupper::routing
