#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/cni/result.h"
#include "knetsim/emulator/daemon.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/network.h"
#include "knetsim/sys/process.h"

namespace knetsim {

/// A machine's worth of network: a network namespace with a name, addresses and a directory. No process of its own;
/// it is gone with this handle. Move-only.
class Node {
 public:
  /// A fresh namespace, pinned at /run/netns/<pin>. Programs run in `directory`, which is made if absent. Its hostname
  /// is its name, or that of the machine that it is a part of.
  Node(std::string name, std::string pin, std::filesystem::path directory, std::shared_ptr<const UtsNs> machine = {});
  Node(Node&&) noexcept = default;
  Node& operator=(Node&&) noexcept = delete;
  ~Node();

  const std::string& name() const noexcept { return name_; }
  /// What `ip netns exec` calls it.
  const std::string& pin() const noexcept { return pin_; }
  const NetNs& netns() const noexcept { return netns_; }
  const std::shared_ptr<const UtsNs>& uts() const noexcept { return uts_; }
  /// Working directory and HOME of its programs: /run/knetsim/<node>.
  const std::filesystem::path& directory() const noexcept { return directory_; }
  const std::vector<Address>& addresses() const noexcept { return addresses_; }
  /// The main one.
  const Address& address() const { return addresses_.at(0); }
  void set_addresses(std::vector<Address> addresses) { addresses_ = std::move(addresses); }
  /// What its programs are given: a person's on a node, less in a pod.
  void set_trust(Trust trust) noexcept { trust_ = trust; }
  /// Told to the programs that are started from now on.
  void set_variable(const std::string& name, std::string value) { variables_[name] = std::move(value); }
  const std::map<std::string, std::string>& variables() const noexcept { return variables_; }

  /// A program on this node, run to its end.
  ExecResult exec(std::vector<std::string> argv, std::chrono::milliseconds timeout = kExecTimeout) const;
  /// A program in the background, its output in <directory>/<log>. Ends with the handle.
  Process spawn(std::vector<std::string> argv, const std::string& log = "background.log") const;
  /// For another program's start: this node's namespace, hostname and directory, its name as KNETSIM_NODE, and a
  /// shell's prompt that says it.
  Command command(std::vector<std::string> argv) const;
  /// Gives its pin back, for another that will be called so. Everything else stays as it is, until the handle goes.
  void unpin();
  /// A fresh socket to look at and change its links, addresses, routes.
  netlink::Socket netlink() const;

 private:
  std::string name_;
  std::string pin_;
  NetNs netns_;
  std::shared_ptr<const UtsNs> uts_;
  std::filesystem::path directory_;
  std::vector<Address> addresses_;
  Trust trust_ = Trust::user;
  std::map<std::string, std::string> variables_;
  bool pinned_ = true;
};

/// How many ICMP echo requests the node's stack has received so far (Icmp InEchos and Icmp6 InEchos of
/// /proc/net/snmp and snmp6).
long echo_requests_received(const Node& node);

/// A pod: a network namespace on a worker. Everything but the network is the worker's: files, processes, directory.
class Container : public Node {
 public:
  Container(Node node, std::string short_name, std::string id, cni::Result network)
      : Node(std::move(node)), short_name_(std::move(short_name)), id_(std::move(id)), network_(std::move(network)) {
    set_addresses(network_.addresses());
    set_trust(Trust::pod);
  }

  /// "c1", where name() is "C0w1/c1".
  const std::string& short_name() const noexcept { return short_name_; }
  /// CNI_CONTAINERID
  const std::string& id() const noexcept { return id_; }
  /// What CNI answered to ADD.
  const cni::Result& network() const noexcept { return network_; }

  /// Runs a program in it for as long as it is there, output in <directory>/<short name>.log. It takes the place of one
  /// that runs already.
  Daemon& run(const std::vector<std::string>& argv);
  /// Throws InputError if nothing has been run.
  Daemon& program();
  bool has_program() const noexcept { return program_.has_value(); }
  /// What its program prints; absent if it never ran one.
  std::filesystem::path log() const { return directory() / (short_name_ + ".log"); }
  /// Hung up when the container is gone, or retired.
  Fd end();
  /// It has left the network, and whatever runs in it is killed; see Worker::retire_container().
  void retire();

 private:
  std::string short_name_;
  std::string id_;
  cni::Result network_;
  std::optional<Daemon> program_;
  Pipe life_ = {};  // made when somebody asks for its end
};

}  // namespace knetsim
