#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "knetsim/explain/disposition.h"
#include "knetsim/sys/network.h"

namespace knetsim::explain {

enum class Protocol { icmp, tcp, udp };
std::string_view name_of(Protocol protocol);

/// Which packet: from where to where.
struct Question {
  std::string from;     ///< a node's or a container's name
  Address to;           ///< its address, or a virtual one
  std::string to_name;  ///< what it was asked for as: "C0w2/c2"
  Protocol protocol = Protocol::icmp;
  std::uint16_t port = 0;  ///< of tcp and udp
};

/// "C0w1/c1 -> C0w2/c2 (11.14.0.2), tcp 80"
std::string to_string(const Question& question);

/// Which packet was lost: the one that was sent, or its answer.
enum class Way { there, back };

/// A node of the tree that mirrors the packet's way. What may have others inside: hop, hook, chain.
struct Entry {
  enum class Kind { hop, hook, chain, rule, lookup, seen, rewritten, encapsulated, note, warning, lost };
  Kind kind = Kind::note;
  std::string text;
  std::vector<Entry> inside = {};
  bool detail = false;  ///< shown with -v only
};

/// What happened to the packets of one question, and who witnessed it.
struct Explanation {
  Question question;
  Disposition disposition = Disposition::unexplained;
  Way way = Way::there;
  std::string place = {};                   ///< the node where it was lost, or that it was delivered to
  std::string sentence = {};                ///< "chain input of table inet fw drops it (handle 7)"
  std::string cause = {};                   ///< what the witness of this very packet says; empty if delivered
  std::string object = {};                  ///< whose it is: "VIP 100.64.10.1", "flanneld of C0w2"; may be empty
  std::string remedy = {};                  ///< a line for the prompt; may be empty
  bool dry = false;                         ///< nothing was sent: where tables lead is all that is known
  unsigned probes = 0;                      ///< how many were sent
  unsigned lost = 0;                        ///< of these; neither 0 nor all: it comes and goes
  std::vector<std::string> last_seen = {};  ///< the last two places of the packet that was lost, in order
  std::vector<Entry> tree = {};             ///< of the packet that the verdict is about, there and back
  std::vector<std::string> notes = {};
  std::vector<std::string> witnesses = {};  ///< who could look: "capture", "nftrace" ...
  std::vector<std::string> absent = {};     ///< who couldn't, and why
  double milliseconds = 0;

  bool delivered() const { return disposition == Disposition::delivered; }
  bool intermittent() const { return lost != 0 && lost != probes; }
};

// In words: in render.cpp.

/// The first line, without anything before it: "LOST at C0w2: DROPPED_BY_RULE, ...".
std::string verdict_line(const Explanation& explanation);
/// For a terminal: at most a screen, with all events if `verbose`.
std::string to_text(const Explanation& explanation, bool verbose = false);
/// docs/explain.md, "knetsim.explain/1".
std::string to_json(const Explanation& explanation);

}  // namespace knetsim::explain
