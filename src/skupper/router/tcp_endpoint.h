#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "router/stream.h"

namespace knetsim::skupper::router {

/// A TCP connection to a client or to a service: inlet of the stream that it sends, outlet of the one it receives.
/// Holds at most a window of bytes, whatever the speeds of the two ends. Lives on one shard, which keeps it while it is
/// open.
class TcpEndpoint : public Inlet, public Outlet, public std::enable_shared_from_this<TcpEndpoint> {
 public:
  /// Called once, when the socket is closed.
  using Closed = std::function<void()>;

  /// Around a connected socket; adopt() comes next.
  TcpEndpoint(Shard& shard, boost::asio::ip::tcp::socket socket, Closed closed);
  /// Around nothing yet; connect() comes next.
  TcpEndpoint(Shard& shard, Closed closed);
  ~TcpEndpoint() override;
  TcpEndpoint(const TcpEndpoint&) = delete;
  TcpEndpoint& operator=(const TcpEndpoint&) = delete;

  void adopt();
  /// Tries each address that `host` has. Until it is connected, what is written is kept. `done` gets an empty text, or
  /// the reason of the failure; the endpoint is then closed.
  void connect(const std::string& host, std::uint16_t port, std::function<void(const std::string&)> done);

  void set_inlet(InletRef inlet) { inlet_ = std::move(inlet); }
  void set_outlet(OutletRef outlet) { outlet_ = std::move(outlet); }
  /// From here on, what the socket receives goes to the outlet.
  void start_reading();
  Shard& shard() const noexcept { return shard_; }
  bool open() const noexcept { return state_ != State::closed; }

  void write(std::string_view bytes) override;
  void finish(bool last) override;
  void abort() override;
  void acknowledged(std::uint64_t bytes) override;
  void completed() override {}
  void refused() override;

 private:
  enum class State { connecting, open, closed };
  enum class Reading { not_yet, waiting, paused, ended };

  void wait_readable();
  void wait_writable();
  void read();
  void flush();
  /// How many of the bytes the kernel took; 0 if it takes none now. Fails the endpoint if the connection is broken.
  std::size_t send(std::string_view bytes);
  void count_written(std::size_t bytes);
  void close_for_writing();
  void end_if_done();
  void fail();
  void close();

  Shard& shard_;
  boost::asio::ip::tcp::socket socket_;
  Closed closed_;
  InletRef inlet_;
  OutletRef outlet_;
  State state_;
  Reading reading_ = Reading::not_yet;
  std::uint64_t sent_ = 0;          ///< to the outlet
  std::uint64_t acknowledged_ = 0;  ///< by the outlet
  std::uint64_t written_ = 0;       ///< to the socket
  std::uint64_t reported_ = 0;      ///< of those, to the inlet
  std::string unwritten_;
  std::size_t unwritten_from_ = 0;
  bool finishing_ = false;
  bool write_closed_ = false;
};

}  // namespace knetsim::skupper::router
