#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace knetsim::kube::recordings {

/// What a real kube-apiserver 1.32 was asked and answered: tests/data/<name>.json.
const nlohmann::json& recording(std::string_view name);

}  // namespace knetsim::kube::recordings
