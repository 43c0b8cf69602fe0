#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/apiserver/pki.h"
#include "knetsim/emulator/credentials.h"

namespace knetsim::test {

/// The authority that the tests' kubelets and their clients have, one for each process.
const apiserver::Authority& kubelet_authority();
/// What a kubelet shows that is called w1, at 127.0.0.1.
KubeletIdentity kubelet_w1();
/// As an API server shows itself.
apiserver::CertifiedKey master();

/// A connection to 127.0.0.1:10250 over TLS, with who listens there being w1. Throws boost::system::system_error.
class KubeletDial {
 public:
  using Stream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;

  /// `shown`: the client's certificate; nullopt: none.
  explicit KubeletDial(const std::optional<apiserver::CertifiedKey>& shown = master());

  Stream& stream() { return stream_; }
  void send(std::string_view bytes);
  /// Hangs up without a word.
  void vanish() { stream_.next_layer().close(); }

 private:
  boost::asio::io_context context_;
  boost::asio::ssl::context tls_;
  Stream stream_;
};

/// A client of exec and attach there, as kubectl is one. Throws boost::system::system_error.
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
  void vanish() { dial_.vanish(); }

  /// Below the WebSocket.
  KubeletDial& dial() { return dial_; }
  const std::string& protocol() const noexcept { return protocol_; }

 private:
  KubeletDial dial_;
  boost::beast::websocket::stream<KubeletDial::Stream&> socket_{dial_.stream()};
  std::string protocol_;
  std::map<unsigned char, std::string> said_;
};

/// What comes back for these bytes, to the connection's end; empty: it was ended before.
std::string kubelet_answer(const std::string& bytes, const std::optional<apiserver::CertifiedKey>& shown = master());

}  // namespace knetsim::test
