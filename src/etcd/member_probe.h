#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/etcd/client.h"
#include "knetsim/etcd/member.h"
#include "transport.h"

namespace knetsim::etcd {

/// Asks one member how it is, on its client port and on its peer port, from inside its namespace.
class MemberProbe {
 public:
  explicit MemberProbe(const MemberSpec& spec);

  /// /health, and a linearizable read. nullopt: fine.
  std::optional<std::string> client_ailment(std::chrono::milliseconds patience);
  /// nullopt: the peer port serves.
  std::optional<std::string> peer_ailment();

  /// Makes the member stand for election at once, instead of after its election timeout: the message is Raft's
  /// TimeoutNow, with which a leader hands over to a follower (Ongaro's dissertation, section 3.10;
  /// etcd's raft/raftpb/raft.proto, MsgTimeoutNow). False if the member didn't take it, or is of a release of which
  /// that isn't known: it then elects in its own time.
  bool prompt_election();

 private:
  Answer ask_peer(Call call);

  const NetNs* netns_;
  std::string own_peer_url_;
  boost::asio::io_context context_{1};
  Transport peer_;
  std::string client_url_;
  std::optional<Client> client_;  // with the patience of the last question
};

/// Whether an etcd of this release takes that message from a sender that isn't a member's process: tried with 3.4; 3.5
/// has the same handler (server/etcdserver/api/rafthttp/http.go).
bool takes_timeout_now(std::string_view version);

std::string client_url(const MemberSpec& spec);
std::string peer_url(const MemberSpec& spec);

}  // namespace knetsim::etcd
