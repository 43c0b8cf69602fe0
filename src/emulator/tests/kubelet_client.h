#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <map>
#include <string>
#include <string_view>

namespace knetsim::test {

/// A client of exec and attach on 127.0.0.1:10250, as kubectl is one. Throws boost::system::system_error.
class StreamClient {
 public:
  /// "/exec/default/web/web?command=ls&output=1"
  explicit StreamClient(const std::string& target, const std::string& protocol = "v5.channel.k8s.io");

  void send(unsigned char channel, std::string_view data);
  /// The next message's channel and what it says.
  std::pair<unsigned char, std::string> next();
  /// Reads until channel `channel` has said this.
  void expect(unsigned char channel, std::string_view text);
  /// To the end: what each channel has said.
  std::map<unsigned char, std::string> rest();
  /// Hangs up without a word.
  void vanish();

  boost::asio::ip::tcp::socket& socket() { return socket_.next_layer(); }
  const std::string& protocol() const noexcept { return protocol_; }

 private:
  boost::asio::io_context context_;
  boost::beast::websocket::stream<boost::asio::ip::tcp::socket> socket_{context_};
  std::string protocol_;
  std::map<unsigned char, std::string> said_;
};

/// What comes back for these bytes, to the connection's end.
std::string kubelet_answer(const std::string& bytes);

}  // namespace knetsim::test
