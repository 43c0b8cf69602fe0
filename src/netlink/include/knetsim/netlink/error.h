#pragma once

#include <string>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim::netlink {

/// A request that the kernel refused. error() is its errno; extack() its own words (NLMSGERR_ATTR_MSG), often empty.
class Error : public SystemError {
 public:
  Error(int error, Diagnosis diagnosis, std::string extack = {})
      : SystemError(error, std::move(diagnosis)), extack_(std::move(extack)) {}
  const std::string& extack() const noexcept { return extack_; }

 private:
  std::string extack_;
};

}  // namespace knetsim::netlink
