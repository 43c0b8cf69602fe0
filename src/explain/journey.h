#pragma once

#include <optional>
#include <string>
#include <vector>

#include "observed.h"

namespace knetsim::explain {

/// One thing that was witnessed of a packet, in the order of its way.
struct Moment {
  std::string place;
  bool wrapped = false;            ///< inside of VXLAN
  const Sighting* seen = nullptr;  ///< either of these is set; they live in the attempt
  const Passage* passed = nullptr;
  Packet packet = {};  ///< as it was then: the inner one
};

/// What became of one probe. Borrows the attempt.
struct Journey {
  std::vector<Moment> there;
  std::vector<Moment> back;
  std::vector<Moment> complaints;  ///< ICMP errors about either
  std::vector<Moment> strays;      ///< frames that came to a node which they weren't addressed to

  /// What left by a link whose other end isn't watched.
  std::vector<const Sighting*> unfollowed;

  const std::vector<Moment>& of(Way way) const { return way == Way::there ? there : back; }
};

/// Joins what was witnessed: by the packet's identity, and for what is around it by addresses and IP id.
Journey journey_of(const Attempt& attempt);

/// The places in the order in which the packet came to them.
std::vector<std::string> places_of(const std::vector<Moment>& moments);

/// "out of flannel.100 at C0w1", "past the forward hook at C0w2".
std::string describe(const Moment& moment);
std::string name_of(nft::HookPoint hook);
std::string name_of(const nft::ChainId& chain);

}  // namespace knetsim::explain
