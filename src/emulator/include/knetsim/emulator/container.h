#pragma once

#include <optional>
#include <string>
#include <vector>

#include "knetsim/cni/result.h"
#include "knetsim/emulator/daemon.h"
#include "knetsim/emulator/node.h"

namespace knetsim {

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

 private:
  std::string short_name_;
  std::string id_;
  cni::Result network_;
  std::optional<Daemon> program_;
};

}  // namespace knetsim
