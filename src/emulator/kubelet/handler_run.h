#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/child.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim::kubelet {

/// Where probes and hooks of a container are done.
struct HandlerPlace {
  const NetNs* from = nullptr;  ///< httpGet and tcpSocket: the node's, as a kubelet asks from there
  std::string host;             ///< the pod's address, where the handler names none
  nlohmann::json container;     ///< whose ports may be named
  std::function<Command(std::vector<std::string>)> command = {};  ///< a program in the container
  std::vector<Shown> shown = {};                                  ///< files that it sees in other places
  std::filesystem::path output;                                   ///< of an exec; replaced
};

/// One try of a probe or hook: exec, httpGet, tcpSocket or sleep, as the API has it. Its owner ends it at any time.
class HandlerRun {
 public:
  /// Nullopt if it has succeeded, else why not. Called once, unless this is destroyed before. It may destroy this.
  using Done = std::function<void(const std::optional<std::string>& failure)>;

  HandlerRun(boost::asio::io_context& context, const nlohmann::json& handler, const HandlerPlace& place,
             std::chrono::milliseconds timeout, Done done);
  HandlerRun(HandlerRun&&) = delete;
  ~HandlerRun();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// The number of a port that is given by number or by name; nullopt if it is none of the container's.
std::optional<std::uint16_t> port_of(const nlohmann::json& port, const nlohmann::json& container);

}  // namespace knetsim::kubelet
