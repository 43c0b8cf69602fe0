#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "knetsim/sys/error.h"

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

/// Error codes of the CNI specification 1.1.0, section "Error"; those from 100 on belong to the plugins.
inline constexpr unsigned kIncompatibleVersion = 1;
inline constexpr unsigned kUnsupportedField = 2;
inline constexpr unsigned kUnknownContainer = 3;
inline constexpr unsigned kInvalidEnvironment = 4;
inline constexpr unsigned kIoFailure = 5;
inline constexpr unsigned kUndecodable = 6;
inline constexpr unsigned kInvalidConfig = 7;
inline constexpr unsigned kTryAgainLater = 11;
inline constexpr unsigned kNotAvailable = 50;         ///< STATUS: no ADD now
inline constexpr unsigned kLimitedConnectivity = 51;  ///< STATUS: nor may what stands work
inline constexpr unsigned kGenericFailure = 999;

/// What a plugin answered when it couldn't: {"code":…, "msg":…, "details":…}.
struct Failure {
  unsigned code = kGenericFailure;
  std::string message;
  std::string details = {};
};

/// An operation that a plugin (or the built-in one) refused. what() names node, plugin, command, container, code and
/// message.
class Error : public knetsim::Error {
 public:
  Error(Diagnosis diagnosis, Failure failure);
  const Failure& failure() const noexcept { return failure_; }

 private:
  Failure failure_;
};

/// Whether a network or a container may be called so (CNI 1.1.0, "name" and CNI_CONTAINERID): letters, digits, '_', '.'
/// and '-', a letter or digit first. Such names are safe as parts of paths.
bool is_identifier(std::string_view text);
/// Whether an interface may be called so: as the kernel has it.
bool is_interface_name(std::string_view text);

}  // namespace knetsim::cni
