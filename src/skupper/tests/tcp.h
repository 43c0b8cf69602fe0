#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "knetsim/sys/fd.h"

namespace knetsim::skupper {

/// A TCP connection of a test, blocking; every call gives up after 20 s with an Error.
class TcpPeer {
 public:
  /// `closing` is called before the descriptor is closed.
  explicit TcpPeer(Fd fd, std::function<void()> closing = {});
  TcpPeer(TcpPeer&&) noexcept = default;
  TcpPeer& operator=(TcpPeer&&) noexcept = delete;
  ~TcpPeer();
  /// To 127.0.0.1.
  static TcpPeer connect(std::uint16_t port);

  /// Throws if the connection breaks.
  void send(std::string_view bytes);
  /// At least one byte; empty at the end of the stream. Throws if it was reset.
  std::string receive_some();
  std::string receive(std::size_t bytes);
  std::string receive_to_end();
  void finish();  ///< FIN
  void reset();   ///< RST; nothing may follow
  /// Its own end, as the peer sees it: "127.0.0.1:40000".
  std::string name() const;
  /// Waits until the peer has closed or reset the connection, whatever comes before: "closed" or "reset".
  std::string wait_for_end();

 private:
  Fd fd_;
  std::function<void()> closing_;
};

/// What an HTTP server on 127.0.0.1 answers, heads and all.
std::string http_get(std::uint16_t port, std::string_view page);

/// A socket's own end on 127.0.0.1: "127.0.0.1:40000".
std::string name_of(FdView socket);

/// On 127.0.0.1. Whoever accepts has to end it by shutdown() or a time-out of its own.
Fd listen_on(std::uint16_t port);

/// A service on 127.0.0.1, each of its connections handled by a thread of its own. Ends with its owner.
class TcpService {
 public:
  using Handler = std::function<void(TcpPeer&)>;

  TcpService(std::uint16_t port, Handler handler);
  TcpService(TcpService&&) noexcept;
  ~TcpService();

  /// Connections so far.
  std::size_t connections() const;

  static Handler echo();
  /// Sends a greeting and closes.
  static Handler greet(std::string greeting);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bytes that show where they stand: reordered, lost and repeated ones are noticed.
std::string pattern(std::size_t bytes, std::uint64_t seed = 1);

}  // namespace knetsim::skupper
