#pragma once

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace knetsim {

/// The directory of the running program.
std::filesystem::path own_directory();
/// Where to begin looking for the files that belong to the running program: $KNETSIM_BINDIR if that is set, for
/// programs outside our tree, then its own directory.
std::vector<std::filesystem::path> own_directories();
/// The first file of that name in one of `places`, relative to one of `directories`: as built, as installed.
std::optional<std::filesystem::path> find_file(const std::string& name,
                                               const std::vector<std::filesystem::path>& directories,
                                               std::initializer_list<const char*> places = {"."});

}  // namespace knetsim
