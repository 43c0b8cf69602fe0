#pragma once

#include <string>

#include "knetsim/sys/error.h"

namespace knetsim::cni {

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

}  // namespace knetsim::cni
