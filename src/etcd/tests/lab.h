#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "knetsim/etcd/ensemble.h"
#include "knetsim/sys/netns.h"

namespace knetsim::etcd::test {

/// A switch with `size` nodes on it: node i is 10.0.0.<i+1>/8 on its link eth0. Needs the sandbox.
class Lab {
 public:
  explicit Lab(std::size_t size);

  NetNs& node(std::size_t index) { return nodes_.at(index); }
  /// Members named m1, m2, ... on the first `count` nodes, their files below /tmp/knetsim.
  std::vector<MemberSpec> specs(std::size_t count) const;
  std::vector<MemberSpec> specs() const { return specs(nodes_.size()); }
  /// Takes a node's link down or up again: the others neither hear it nor are told.
  void plug(std::size_t index, bool in);

 private:
  NetNs bridge_;
  std::vector<NetNs> nodes_;
};

}  // namespace knetsim::etcd::test
