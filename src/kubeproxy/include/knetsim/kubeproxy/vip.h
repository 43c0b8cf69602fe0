#pragma once

#include <string>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/network.h"

namespace knetsim::kubeproxy {

/// One backend of a service.
struct VipEndpoint {
  Address address;
  /// It won't answer any more, yet keeps its turn: whatever but TCP falls to it is dropped and leaves no trace, so that
  /// the flow's next packet is for the next in turn. TCP is sent there, and its client is left to time out.
  bool gone = false;
  bool operator==(const VipEndpoint&) const = default;
};

/// A virtual address and those who serve it in turn: everything sent to the address, whatever its protocol, goes to an
/// endpoint. New flows take the endpoints in the order given here.
struct Vip {
  Address address;
  std::vector<VipEndpoint> endpoints;
  /// Shown as the rule's comment, so that a listing says whose rule it is; may be empty.
  std::string name = {};
  /// Another number than before, with all else the same, still makes it a changed service: its turns start anew.
  unsigned revision = 0;
  bool operator==(const Vip&) const = default;
};

/// Throws InputError, with the value and the remedy, on: no endpoint; endpoints of another family than the address; an
/// address twice; an address or endpoint that can't receive (unspecified, multicast, loopback VIP); a VIP that is its
/// own endpoint; a name over 100 bytes or with a quote or control character in it.
void validate(const std::vector<Vip>& services);

}  // namespace knetsim::kubeproxy
