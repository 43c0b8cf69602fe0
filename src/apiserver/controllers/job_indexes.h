#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace knetsim::controllers {

// Jobs of completionMode Indexed: each of their pods has a number below `completions`, and each number must succeed.
// Source: k8s.io/kubernetes/pkg/controller/job/indexed_job_utils.go.

using Indexes = std::set<std::int64_t>;

/// "1,3-5,7", as status.completedIndexes has them. What is no number below `end`, or comes after a greater one, is
/// left out.
Indexes indexes_in(std::string_view text, std::int64_t end);
std::string indexes_text(const Indexes& indexes);

/// Nullopt if the pod has none.
std::optional<std::int64_t> index_of(const nlohmann::json& pod);
/// Names the pod of a job after its number, and tells its programs of it.
void give_index(nlohmann::json& pod, const std::string& job, std::int64_t index, const std::string& suffix);

}  // namespace knetsim::controllers
