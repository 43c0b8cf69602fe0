#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/process.h"

namespace knetsim::apiserver::test {

/// The program that KNETSIM_KUBECTL names; else 1.32 where several versions are installed beside kubectl, else kubectl.
std::filesystem::path kubectl();
/// That of a version, "1.32", where several are installed beside kubectl, or if KNETSIM_KUBECTL or kubectl is of it.
std::optional<std::filesystem::path> kubectl_of(const std::string& version);
/// The minor number of its version.
int minor_version(const std::filesystem::path& program);
/// It, asking the server of ApiTest, with nothing from the user's home.
Command kubectl_command(const std::filesystem::path& program, const std::vector<std::string>& arguments);

}  // namespace knetsim::apiserver::test
