#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>

#include "knetsim/kube/status.h"
#include "knetsim/sys/fd_events.h"
#include "kubelet_request.h"
#include "kubelet_tls.h"
#include "log_reader.h"
#include "pod_runtime.h"
#include "port_session.h"
#include "stream_session.h"

namespace knetsim {

/// One client of a kubelet's endpoint, and its one request.
class KubeletConnection {
 public:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;

  KubeletConnection(KubeletStream stream, std::string node, PodRuntime& pods)
      : stream_(std::move(stream)), client_(stream_.get_executor()), node_(std::move(node)), pods_(&pods) {}

  /// Until all is over. Ends early at end().
  boost::asio::awaitable<void> run();
  void end();

 private:
  boost::asio::awaitable<void> answer(Request message);
  boost::asio::awaitable<void> send_log(KubeletRequest request);
  boost::asio::awaitable<void> refuse(const kube::ApiError& error);
  /// Tells the client that nothing more comes.
  boost::asio::awaitable<void> part();
  boost::beast::tcp_stream& transport() { return boost::beast::get_lowest_layer(stream_); }

  KubeletStream stream_;
  boost::beast::flat_buffer buffer_;
  FdEvents client_;  // its end
  std::string node_;
  PodRuntime* pods_;
  std::shared_ptr<StreamSession> session_;
  std::shared_ptr<PortSession> ports_;
  std::optional<LogReader> log_;
};

}  // namespace knetsim
