#pragma once

#include <proton/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "router/engine_pointer.h"
#include "router/stream.h"

namespace knetsim::skupper::router {

class RouterConnection;

/// A streaming delivery from another router: inlet of a stream. Once its head has come, its outlet is found by the
/// address in it. Lives on its connection's shard.
class IncomingStream : public Inlet, public std::enable_shared_from_this<IncomingStream> {
 public:
  /// What isn't a flow for somebody here is refused; on a link for `any_message`s it is accepted and forgotten.
  IncomingStream(std::shared_ptr<RouterConnection> connection, pn_delivery_t* delivery, bool any_message);

  /// Bytes have come, or the end, or the peer has settled.
  void readable();
  void connection_lost();
  RouterConnection& connection() const noexcept { return *connection_; }
  Shard& shard() const noexcept;

  void acknowledged(std::uint64_t bytes) override;
  void completed() override;
  void refused() override;

 private:
  /// More unacknowledged bytes than this aren't taken: the session's window then closes. Routers keep to kWindow.
  static constexpr std::uint64_t kLimit = 2 * kWindow;
  static constexpr std::size_t kMaxHead = 64 * 1024;

  void read_soon();
  void take();
  void pass_on(std::string_view bytes);
  void find_outlet();
  void no_flow();
  void end();
  void settle();

  std::shared_ptr<RouterConnection> connection_;
  EnginePointer<pn_delivery_t> delivery_;
  std::string head_;
  OutletRef outlet_;
  bool any_message_;
  bool has_outlet_ = false;
  bool ended_ = false;    ///< the delivery is complete or aborted
  bool refused_ = false;  ///< what comes is thrown away
  bool done_ = false;     ///< the outcome is told
  std::uint64_t taken_ = 0;
  std::uint64_t acknowledged_ = 0;
};

}  // namespace knetsim::skupper::router
