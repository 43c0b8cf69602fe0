#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/emulator/node.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/network.h"

namespace knetsim {

/// What nodes are called: one meaning for the prompt, for visitors and, by way of /etc/hosts, for every program.
///
/// A node is called by its own name, "C0w1". Without the first cluster's name, "w1", it is that cluster's. A container
/// is "C0w1/c1", or where no slash may stand "c1.C0w1" and "c1.C0"; on a node of the first cluster also "w1/c1" and
/// "c1.w1". Case doesn't matter, as for a resolver. Who came first keeps a name.
class Names {
 public:
  explicit Names(std::string first_cluster) : first_cluster_(std::move(first_cluster)) {}

  /// All of them, before any container: a node's own name means this node, whatever others are called without the
  /// first cluster's.
  void add_nodes(const std::vector<std::pair<std::string, std::vector<Address>>>& nodes);
  /// `name` is "C0w1/c1".
  void add_container(const std::string& cluster, const std::string& name, const std::vector<Address>& addresses);
  void remove(const std::string& name);

  /// As resolvers compare: without regard to case.
  static std::string folded(std::string name);

  /// The name proper of whom this means.
  std::optional<std::string> find(const std::string& name) const;
  /// A line for each address, as hosts(5) has it.
  std::string hosts() const;

 private:
  struct Entry {
    std::string name;
    std::string hosts;  // its lines
  };

  void add(const std::string& name, const std::vector<std::string>& others, const std::vector<Address>& addresses);
  std::string without_cluster(const std::string& name) const;

  std::string first_cluster_;
  std::vector<Entry> entries_;                 // as they came
  std::map<std::string, std::string> owners_;  // of names in lower case
};

/// What a name is given to: others have claimed names of their own for each.
enum class Named { link, cluster, container };

/// Why nothing of this kind can be called so, with what to do about it; nullopt if it can. Switches and nodes become
/// links. Told apart are names that the kernel, programs or the emulation itself use for something else.
struct NameFault {
  std::string problem;
  std::string remedy;
};
std::optional<NameFault> name_fault(const std::string& name, Named named);

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
