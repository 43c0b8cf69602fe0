#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pod_runtime.h"
#include "stream_frames.h"
#include "upgraded_link.h"

namespace knetsim {

/// How a program's streams, and what its client says, go over a connection. Who sends waits for others who do.
class StreamWire {
 public:
  StreamWire() = default;
  StreamWire(const StreamWire&) = delete;
  StreamWire& operator=(const StreamWire&) = delete;
  virtual ~StreamWire() = default;

  /// Until both sides may speak. False: the client has gone.
  virtual boost::asio::awaitable<bool> accept() = 0;
  /// What the client says next, good until it is asked again; nullopt: nothing more comes.
  virtual boost::asio::awaitable<std::optional<stream_frames::Message>> next() = 0;
  virtual boost::asio::awaitable<bool> send(stream_frames::Channel channel, std::string_view data) = 0;
  /// The Status that is the last word.
  virtual boost::asio::awaitable<void> finish(const std::string& status) = 0;
  virtual boost::beast::tcp_stream& transport() = 0;
};

/// stream_frames.h: a channel in each message.
std::unique_ptr<StreamWire> message_wire(std::unique_ptr<UpgradedLink> link);
/// A SPDY stream for each of those that are wanted, which the client opens, and one for the Status. Source:
/// k8s.io/kubelet/pkg/cri/streaming/remotecommand/httpstream.go.
std::unique_ptr<StreamWire> spdy_wire(std::unique_ptr<UpgradedLink> link, Streams wanted);

}  // namespace knetsim
