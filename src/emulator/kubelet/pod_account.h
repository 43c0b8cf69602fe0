#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api_calls.h"
#include "knetsim/sys/child.h"

namespace knetsim::kubelet {

/// The service account of a pod, as its programs find it: token, ca.crt and namespace, in a directory of the pod's. The
/// token ends with the pod. For the thread that runs the context.
class PodAccount {
 public:
  /// Nullopt, or why its files can't be there.
  using Done = std::function<void(const std::optional<std::string>& trouble)>;

  PodAccount(boost::asio::io_context& context, ApiCalls& calls, const nlohmann::json& pod,
             std::filesystem::path directory);
  PodAccount(PodAccount&&) = delete;
  ~PodAccount();

  /// The files are there, or the pod wants none: an empty directory is.
  bool ready() const noexcept;
  /// Asks the API, for some seconds also for an account that isn't there yet. Once at a time.
  void fetch(Done done);
  /// The directory, at the place where clients look for it.
  std::vector<Shown> shown() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace knetsim::kubelet
