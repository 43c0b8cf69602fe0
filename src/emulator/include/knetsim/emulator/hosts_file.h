#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/emulator/names.h"
#include "knetsim/emulator/node.h"
#include "knetsim/sys/fd.h"

namespace knetsim {

/// Names, and the sandbox's /etc/hosts, which says the same to every program. For several threads.
class HostsFile {
 public:
  /// Throws SystemError without a sandbox.
  explicit HostsFile(std::string first_cluster);

  void add_nodes(const std::vector<Node*>& nodes);
  void add_container(const std::string& cluster, const Node& container);
  void remove(const Node& container);
  std::optional<std::string> find(const std::string& name) const;

 private:
  void write();

  mutable std::mutex mutex_;
  Names names_;
  Fd file_;
  std::size_t size_ = 0;
};

}  // namespace knetsim
