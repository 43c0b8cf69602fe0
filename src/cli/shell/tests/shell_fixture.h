#pragma once

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "../complete.h"
#include "shell/session.h"

namespace knetsim::cli::shell {

inline constexpr const char* kTopology = R"({
  "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "s0"}]},
  "clusters": [{
    "name": "C0", "switch": "s0", "cni": "builtin",
    "workers": [{"name": "C0w1", "address": "10.0.0.3", "podSubnet": "11.13.0.0/20"},
                {"name": "C0w2", "address": "10.0.0.4", "podSubnet": "11.14.0.0/20"}],
    "containers": [{"name": "c1", "worker": "C0w1"}, {"name": "c2", "worker": "C0w1"}],
    "services": {"range": "100.64.0.0/16"}
  }]
})";

/// Lines typed at a lab of two workers without daemons. Programs in front are run to their end, and what they print is
/// kept.
class Shell : public testing::Test {
 protected:
  Shell() : Shell(Topology::from_json(kTopology, "test")) {}
  explicit Shell(Topology topology) : emulation_(Emulation::boot(std::move(topology))) {}

  /// How the line ended; what it showed is in `shown`.
  int type(const std::string& line) {
    out_.str("");
    const int status = execute(session_, line);
    shown = out_.str();
    return status;
  }

  std::vector<std::string> offered(const std::string& line) { return complete(session_, line).candidates; }

  std::string shown;
  std::vector<std::vector<std::string>> ran;
  bool only_note_programs = false;

 private:
  ExitStatus run(const knetsim::Command& command) {
    ran.push_back(command.argv);
    if (only_note_programs) return ExitStatus(0);
    const auto result = exec(command);
    out_ << result.out << result.err;
    return result.status;
  }

  Emulation emulation_;
  std::ostringstream out_;
  Background background_;

 protected:
  Session session_{.emulation = emulation_,
                   .name = "test",
                   .terminal = {out_, out_},
                   .style = Style(false),
                   .run_in_front = [this](const knetsim::Command& command) { return run(command); },
                   .background = background_};
};

/// The same in the demo topology, with all that runs there.
class DemoShell : public Shell {
 protected:
  DemoShell() : Shell(Topology::from_file(find_topology("demo"))) {}
};

}  // namespace knetsim::cli::shell
