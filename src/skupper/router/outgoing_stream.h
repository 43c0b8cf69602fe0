#pragma once

#include <proton/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "router/engine_pointer.h"
#include "router/stream.h"

namespace knetsim::skupper::router {

class RouterConnection;

/// A streaming delivery to another router: outlet of a stream. Waits for a link with credit, then sends as bytes come.
/// Lives on its connection's shard, except that it may be made on any.
class OutgoingStream : public Outlet, public std::enable_shared_from_this<OutgoingStream> {
 public:
  /// `head` is what the delivery begins with (wire::encode(FlowHead)).
  OutgoingStream(std::shared_ptr<RouterConnection> connection, std::string head, InletRef inlet);
  /// From any shard, once.
  void start();
  Shard& shard() const noexcept;

  void write(std::string_view bytes) override;
  void finish(bool last) override;
  void abort() override;

  // What its connection tells it.
  void begin(pn_link_t* link);
  /// The peer has changed the delivery's state.
  void updated();
  void connection_lost();

 private:
  enum class End { none, finished, last, aborted };

  void send(std::string_view bytes);
  void end_delivery();
  void settle();

  std::shared_ptr<RouterConnection> connection_;
  std::string waiting_;  ///< to be sent when there is a link
  InletRef inlet_;
  EnginePointer<pn_link_t> link_;
  EnginePointer<pn_delivery_t> delivery_;
  End end_ = End::none;
  bool told_ = false;  ///< the inlet, that it is over
};

}  // namespace knetsim::skupper::router
