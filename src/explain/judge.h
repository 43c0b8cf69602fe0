#pragma once

#include <optional>
#include <string>

#include "journey.h"
#include "knetsim/explain/disposition.h"
#include "observed.h"

namespace knetsim::explain {

/// Why a packet didn't come through: with the witness of this very packet, or unexplained.
struct Cause {
  Disposition disposition = Disposition::unexplained;
  Way way = Way::there;
  std::string place = {};
  std::string sentence = {};
  std::string cause = {};
  std::string object = {};
  std::string remedy = {};
};

/// Whether the probe came through, and its answer back where one has to come.
bool came_through(const Attempt& attempt, const Journey& journey);

/// Where its trail ends: on which way, and the last that was seen; nullptr if nothing was.
struct TrailEnd {
  Way way = Way::there;
  const Moment* last = nullptr;
};
TrailEnd trail_end(const Journey& journey);

/// Of an attempt that didn't come through. `facts` are of the places that it came to and of their neighbours. One
/// cause, the first on the way that explains all silence behind it.
Cause cause_of(const Attempt& attempt, const Journey& journey, const AllFacts& facts, const Owners& owners);

/// What can't be true at the same time; nullopt if the witnesses agree. `facts` may be empty: then they were asked
/// nothing. `traced`: nftrace was listened to, and lost nothing.
std::optional<std::string> contradiction(const Attempt& attempt, const Journey& journey, const AllFacts& facts,
                                         const std::string& source, bool traced);

/// The place and the link at the other end of a cable or a veth pair.
struct Peer {
  std::string place;
  const netlink::Link* link = nullptr;
};
std::optional<Peer> peer_of(const std::string& place, const netlink::Link& link, const AllFacts& facts);

}  // namespace knetsim::explain
