#pragma once

#include <string>
#include <utility>

#include "knetsim/sys/fd.h"

namespace knetsim {

/// A hostname for programs: a UTS namespace held by a descriptor; it lives as long as this handle or a process in it.
/// See uts_namespaces(7).
class UtsNs {
 public:
  /// A fresh one. The calling thread stays where it was.
  static UtsNs create(const std::string& hostname);

  FdView fd() const noexcept { return fd_; }

 private:
  explicit UtsNs(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace knetsim
