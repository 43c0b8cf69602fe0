#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "router/shard.h"
#include "wire/codec.h"

// A TCP connection is two streams of bytes, one for each direction. Within a router a stream goes from an inlet to an
// outlet: either may be a TCP socket or a streaming delivery to or from another router.

namespace knetsim::skupper::router {

/// Bytes that may be on their way unacknowledged, and how many are acknowledged at a time (skupper-router's
/// TCP_MAX_CAPACITY_BYTES and TCP_ACK_THRESHOLD_BYTES).
inline constexpr std::uint64_t kWindow = 1024 * 1024;
inline constexpr std::uint64_t kAcknowledgeEvery = kWindow / 2;

/// Where a stream leaves this router.
class Outlet {
 public:
  virtual ~Outlet() = default;
  virtual void write(std::string_view bytes) = 0;
  /// All bytes have come. `last`: the other direction has already ended.
  virtual void finish(bool last) = 0;
  /// The rest will never come.
  virtual void abort() = 0;
};

/// Where a stream enters this router. Hears from its outlet.
class Inlet {
 public:
  virtual ~Inlet() = default;
  /// Bytes that have arrived at the far end, since the beginning.
  virtual void acknowledged(std::uint64_t bytes) = 0;
  /// Everything has arrived.
  virtual void completed() = 0;
  /// Nothing more is wanted: the far end is closed, or was never reached.
  virtual void refused() = 0;
};

/// A reference to an outlet that may be called from any shard. Owns it. Empty ones swallow everything.
class OutletRef {
 public:
  OutletRef() = default;
  OutletRef(Shard& shard, std::shared_ptr<Outlet> outlet) : shard_(&shard), outlet_(std::move(outlet)) {}

  explicit operator bool() const noexcept { return outlet_ != nullptr; }
  void write(std::string_view bytes) const {
    if (!outlet_) return;
    if (shard_->here()) return outlet_->write(bytes);
    shard_->post([outlet = outlet_, copy = std::string(bytes)] { outlet->write(copy); });
  }
  void finish(bool last) const {
    call([last](Outlet& outlet) { outlet.finish(last); });
  }
  void abort() const {
    call([](Outlet& outlet) { outlet.abort(); });
  }

 private:
  template <typename F>
  void call(F f) const {
    if (!outlet_) return;
    if (shard_->here()) return f(*outlet_);
    shard_->post([outlet = outlet_, f] { f(*outlet); });
  }

  Shard* shard_ = nullptr;
  std::shared_ptr<Outlet> outlet_;
};

/// A reference to an inlet that may be called from any shard. Doesn't keep it alive.
class InletRef {
 public:
  InletRef() = default;
  InletRef(Shard& shard, std::weak_ptr<Inlet> inlet) : shard_(&shard), inlet_(std::move(inlet)) {}

  void acknowledged(std::uint64_t bytes) const {
    call([bytes](Inlet& inlet) { inlet.acknowledged(bytes); });
  }
  void completed() const {
    call([](Inlet& inlet) { inlet.completed(); });
  }
  void refused() const {
    call([](Inlet& inlet) { inlet.refused(); });
  }

 private:
  template <typename F>
  void call(F f) const {
    if (!shard_) return;
    if (!shard_->here())
      return shard_->post([inlet = inlet_, f] {
        if (const auto held = inlet.lock()) f(*held);
      });
    if (const auto held = inlet_.lock()) f(*held);
  }

  Shard* shard_ = nullptr;
  std::weak_ptr<Inlet> inlet_;
};

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
