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

#include "api_calls.h"
#include "container_view.h"
#include "environment.h"

namespace knetsim::kubelet {

/// The volumes of a pod, as directories below one of its own. Their files follow what they are made of within a minute,
/// and tokens are renewed before they end. For the thread that runs the context.
class PodVolumes {
 public:
  /// Nullopt: they are there. Else why they aren't yet: it is tried again.
  using Told = std::function<void(const std::optional<std::string>& trouble)>;

  static constexpr std::chrono::seconds kRefresh{60};  ///< as a kubelet does (syncFrequency)

  /// `refresh`: how often what the files are made of is asked for.
  PodVolumes(boost::asio::io_context& context, ApiCalls& calls, const nlohmann::json& pod,
             std::filesystem::path directory, std::chrono::milliseconds refresh = kRefresh);
  PodVolumes(PodVolumes&&) = delete;
  ~PodVolumes();

  bool ready() const noexcept;
  /// Begins, if that hasn't been done.
  void begin(Told told);
  /// As the pod is now, for the files that tell of it.
  void update(const nlohmann::json& pod);
  /// What a container of the pod has of them. Throws NotYet for a subPath that leads out of its volume.
  std::vector<Mount> mounts_of(const nlohmann::json& container, const Environment& environment) const;
  /// Takes the directories away.
  void remove();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace knetsim::kubelet
