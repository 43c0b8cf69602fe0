#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/emulator/emulation.h"
#include "knetsim/explain/explain.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/sys/fd.h"

namespace knetsim::suites {

/// A client on one worker and a server on the other, and what is asked. A seed chooses who is where.
struct Scene {
  Emulation& emulation;
  Worker& near;  ///< the client's
  Worker& far;   ///< the server's
  Container& client;
  Container& server;
  explain::Protocol protocol;
  std::uint16_t port;    ///< 0 for icmp
  std::uint16_t served;  ///< what the server listens on
  bool back;             ///< break the answers' way, where the breakage has two
  Address target;        ///< the server's, unless a twin or a breakage says otherwise

  /// What has to stand as long as the test.
  std::vector<std::unique_ptr<fixtures::EchoServer>> servers = {};
  std::vector<Fd> sockets = {};

  explain::Question question() const;
};

/// What the verdict must say.
struct Verdict {
  std::string place;
  explain::Way way = explain::Way::there;
};

/// One way to break a network, and its harmless twin: what looks alike and breaks nothing.
struct Breakage {
  std::string_view name;
  std::string_view row;  ///< of the table in docs/explain.md
  explain::Disposition disposition;
  std::vector<explain::Protocol> protocols;
  bool both_ways;  ///< it can break the answers' way too
  std::function<void(Scene&)> twin;
  std::function<Verdict(Scene&)> plant;
  std::string_view remedy = {};  ///< a part of the line that is proposed; empty: nothing is asked
};

const std::vector<Breakage>& breakages();
/// A part of them: Services of the Kubernetes API (explain_service_breakages.cpp).
std::vector<Breakage> service_breakages();

/// Chosen by `seed` among what the breakage can do, in pair.json.
Scene scene_of(Emulation& emulation, const Breakage& breakage, std::mt19937& random);

}  // namespace knetsim::suites
