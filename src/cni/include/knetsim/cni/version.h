#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knetsim::cni {

/// The versions of the specification that the runtime and the plugins of ours speak, oldest first.
const std::vector<std::string>& supported_versions();
bool is_supported(std::string_view version);
/// Whether `version`, a supported one, is `first` or later: what came with `first` is part of it.
bool is_since(std::string_view version, std::string_view first);

/// What a configuration without cniVersion is of, as the specification has it.
inline constexpr const char* kOldestVersion = "0.1.0";
/// The first with results that name interfaces, and with lists of plugins.
inline constexpr const char* kInterfacesSince = "0.3.0";
/// The first with CHECK, and with prevResult on DEL.
inline constexpr const char* kCheckSince = "0.4.0";
/// The first whose addresses don't say their family.
inline constexpr const char* kNoFamilySince = "1.0.0";
/// The first with STATUS, GC and cniVersions.
inline constexpr const char* kStatusSince = "1.1.0";

}  // namespace knetsim::cni
