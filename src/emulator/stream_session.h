#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <optional>
#include <string>

#include "knetsim/sys/fd_events.h"
#include "kubelet_request.h"
#include "log_reader.h"
#include "pod_runtime.h"
#include "stream_frames.h"
#include "stream_wire.h"

namespace knetsim {

/// One exec or attach over a connection: a program's streams in both directions, each of them only as
/// fast as whoever takes it. A client that is gone ends the program of its exec.
class StreamSession : public std::enable_shared_from_this<StreamSession> {
 public:
  explicit StreamSession(std::unique_ptr<StreamWire> wire);

  /// Answers the upgrade, and returns when all is over.
  boost::asio::awaitable<void> run(KubeletRequest request, PodRuntime& pods);
  /// Ends the program and the connection; run() returns.
  void end();

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;

  /// The Status that is the last word.
  boost::asio::awaitable<std::string> exec(KubeletRequest request, PodRuntime& pods);
  boost::asio::awaitable<std::string> attach(const KubeletRequest& request, PodRuntime& pods);
  boost::asio::awaitable<void> read_client();
  boost::asio::awaitable<void> watch_client();
  boost::asio::awaitable<void> type(std::string_view input);
  boost::asio::awaitable<void> pump(Descriptor& from, stream_frames::Channel channel);
  boost::asio::awaitable<void> wait_for_end();
  void listen_to_client();
  void close_input();

  boost::asio::any_io_executor executor() { return wire_->transport().get_executor(); }

  std::unique_ptr<StreamWire> wire_;
  FdEvents client_;   // its end
  FdEvents process_;  // the program's end, or its container's
  std::optional<PodProgram> program_;
  std::optional<LogReader> log_;
  Descriptor in_;
  Descriptor out_;
  Descriptor err_;
  bool terminal_ = false;
  bool listening_ = false;
  bool over_ = false;   // the program has ended
  bool ended_ = false;  // nobody wants anything any more
};

}  // namespace knetsim
