#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace knetsim::cni {

/// The first regular file of that name, executable or not.
std::optional<std::filesystem::path> find_plugin(const std::string& type,
                                                 const std::vector<std::filesystem::path>& directories);

}  // namespace knetsim::cni
