#pragma once

#include <string>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim::nft {

/// The kernel refused a batch (nothing of it took effect) or a dump. what() names the object, the errno, what the
/// kernel added to it (extack) and what usually helps.
class Error : public SystemError {
 public:
  Error(int error, std::string object, Diagnosis diagnosis)
      : SystemError(error, std::move(diagnosis)), object_(std::move(object)) {}

  /// The first object refused: "rule in chain ip kube-proxy prerouting (vip 100.64.10.1)".
  const std::string& object() const noexcept { return object_; }

 private:
  std::string object_;
};

}  // namespace knetsim::nft
