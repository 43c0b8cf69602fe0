#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::kubelet::fuzz {

/// What is fed with anything: by name. They throw nothing that isn't a refusal.
const std::map<std::string, std::function<void(std::string_view)>>& targets();

/// Texts from which mutations begin: valid ones.
std::vector<std::string> seeds(const std::string& target);

}  // namespace knetsim::kubelet::fuzz
