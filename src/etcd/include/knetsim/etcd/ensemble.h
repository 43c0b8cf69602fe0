#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/etcd/member.h"
#include "knetsim/etcd/sync_client.h"

namespace knetsim::etcd {

/// A cluster of etcd members: one to three usually, more work too.
class Ensemble {
 public:
  struct Options {
    Timing timing;
    std::chrono::milliseconds budget{30'000};  ///< for all members to be healthy
  };

  /// Starts the members (the others as soon as the first one's peer port answers: started at once, they sometimes ask
  /// each other too early and lose a second) and waits until each is healthy and a linearizable read succeeds. Blocks;
  /// may be called in a thread of its own. Throws InputError (no members, doubled name or address, no etcd), Error
  /// saying which member isn't healthy and why, with the end of its log.
  static Ensemble start(std::vector<MemberSpec> specs, const Options& options);
  static Ensemble start(std::vector<MemberSpec> specs) { return start(std::move(specs), Options{}); }

  std::vector<Member>& members() noexcept { return members_; }
  const std::vector<Member>& members() const noexcept { return members_; }
  /// Of all members, in their order.
  std::vector<std::string> endpoints() const;
  /// A client that lives in the first member's namespace and knows all endpoints.
  SyncClient client() const;
  /// Waits until every member is healthy and a linearizable read succeeds; throws as start().
  void wait_until_healthy(std::chrono::milliseconds budget);

 private:
  explicit Ensemble(std::vector<Member> members) : members_(std::move(members)) {}
  std::vector<Member> members_;
};

/// Installs `<directory>/etcdctl`, which runs Debian's etcdctl with API v2 unless the caller's ETCDCTL_API says
/// otherwise (etcdctl 3.4 itself speaks v3 then). Throws InputError, naming the Debian package, if there is none.
void install_etcdctl(const std::filesystem::path& directory);

}  // namespace knetsim::etcd
