#pragma once

#include "wire/codec.h"

namespace knetsim::skupper::router {

/// A pointer into Proton's engine that may have become null. Proton asserts that it isn't, which would end the daemon:
/// here using it throws wire::ProtocolError, which ends a connection.
template <typename T>
class EnginePointer {
 public:
  EnginePointer() = default;
  EnginePointer(T* pointer) : pointer_(pointer) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const noexcept { return pointer_ != nullptr; }
  operator T*() const {  // NOLINT(google-explicit-constructor)
    if (!pointer_) throw wire::ProtocolError("something that has ended was to be used");
    return pointer_;
  }
  /// Gives it up; null afterwards.
  T* release() noexcept {
    auto* pointer = pointer_;
    pointer_ = nullptr;
    return pointer;
  }

 private:
  T* pointer_ = nullptr;
};

}  // namespace knetsim::skupper::router
