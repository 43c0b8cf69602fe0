#include "router/amqp_connection.h"

#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/event.h>
#include <proton/sasl.h>
#include <proton/transport.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>

#include "knetsim/sys/error.h"
#include "router/sockets.h"

namespace knetsim::skupper::router {

namespace asio = boost::asio;

namespace {

[[noreturn]] void refuse(const SslProfile& profile, const std::filesystem::path& file, const std::string& what) {
  throw InputError(describe({.where = "sslProfile \"" + profile.name + '"',
                             .tried = "use " + file.string() + " as its " + what,
                             .answer = ::access(file.c_str(), R_OK) == 0 ? "not valid" : "can't be read",
                             .remedy = "give PEM files that belong together"}));
}

TlsDomain make_domain(const SslProfile& profile, pn_ssl_mode_t mode) {
  TlsDomain domain(pn_ssl_domain(mode), pn_ssl_domain_free);
  if (!domain) throw Error("this build of Qpid Proton has no TLS");
  if (!profile.cert_file.empty() && pn_ssl_domain_set_credentials(domain.get(), profile.cert_file.c_str(),
                                                                  profile.private_key_file.c_str(), nullptr) != 0)
    refuse(profile, profile.cert_file, "certificate, with the key " + profile.private_key_file.string());
  if (!profile.ca_cert_file.empty() && pn_ssl_domain_set_trusted_ca_db(domain.get(), profile.ca_cert_file.c_str()) != 0)
    refuse(profile, profile.ca_cert_file, "caCertFile");
  if (!profile.ciphers.empty() && pn_ssl_domain_set_ciphers(domain.get(), profile.ciphers.c_str()) != 0)
    throw InputError("sslProfile \"" + profile.name + "\": ciphers \"" + profile.ciphers + "\" aren't OpenSSL's");
  if (!profile.protocols.empty() && pn_ssl_domain_set_protocols(domain.get(), profile.protocols.c_str()) != 0)
    throw InputError("sslProfile \"" + profile.name + "\": protocols \"" + profile.protocols + "\" aren't OpenSSL's");
  return domain;
}

/// How long a peer may take to read a close.
constexpr std::chrono::seconds kFarewell{5};

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace

TlsDomain client_domain(const SslProfile& profile, bool verify_hostname) {
  auto domain = make_domain(profile, PN_SSL_MODE_CLIENT);
  const auto mode = profile.ca_cert_file.empty() ? PN_SSL_ANONYMOUS_PEER
                    : verify_hostname            ? PN_SSL_VERIFY_PEER_NAME
                                                 : PN_SSL_VERIFY_PEER;
  if (pn_ssl_domain_set_peer_authentication(domain.get(), mode, nullptr) != 0)
    refuse(profile, profile.ca_cert_file, "caCertFile");
  return domain;
}

TlsDomain server_domain(const SslProfile& profile, bool authenticate_peer, bool require) {
  auto domain = make_domain(profile, PN_SSL_MODE_SERVER);
  if (authenticate_peer &&
      pn_ssl_domain_set_peer_authentication(domain.get(), PN_SSL_VERIFY_PEER, profile.ca_cert_file.c_str()) != 0)
    refuse(profile, profile.ca_cert_file, "caCertFile");
  if (!require) pn_ssl_domain_allow_unsecured_client(domain.get());
  return domain;
}

void secure(pn_transport_t* transport, const TlsDomain& domain, const std::string& hostname) {
  auto* ssl = pn_ssl(transport);
  if (pn_ssl_init(ssl, domain.get(), nullptr) != 0) throw Error("can't begin TLS");
  if (!hostname.empty()) pn_ssl_set_peer_hostname(ssl, hostname.c_str());
}

AmqpConnection::AmqpConnection(Shard& shard, asio::ip::tcp::socket socket, Side side)
    : shard_(&shard), socket_(std::move(socket)), timer_(shard.context()), peer_(peer_name(socket_)) {
  make_prompt(socket_);
  if (pn_connection_driver_init(&driver_, nullptr, nullptr) != 0) throw std::bad_alloc();
  if (side == Side::server) pn_transport_set_server(driver_.transport);
}

AmqpConnection::~AmqpConnection() { pn_connection_driver_destroy(&driver_); }

void AmqpConnection::start() {
  tick();
  wait_readable();
  touch();
}

void AmqpConnection::touch() {
  if (touched_ || running_ || ended_) return;
  touched_ = true;
  shard_->post([self = shared_from_this()] {
    self->touched_ = false;
    self->run();
  });
}

void AmqpConnection::wait_readable() {
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (!error) self->read();
                     });
}

void AmqpConnection::wait_writable() {
  if (std::exchange(waits_for_writable_, true)) return;
  socket_.async_wait(asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (error) return;
                       self->waits_for_writable_ = false;
                       self->run();
                     });
}

void AmqpConnection::read() {
  if (ended_) return;
  const auto buffer = shard_->input();
  const auto count = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count > 0) {
    feed({buffer.data(), static_cast<std::size_t>(count)});
  } else if (count == 0) {
    pn_connection_driver_read_close(&driver_);
  } else if (errno != EAGAIN && errno != EINTR) {
    socket_error_ = errno_text(errno);
    pn_connection_driver_read_close(&driver_);
    pn_connection_driver_write_close(&driver_);
  }
  if (run() && !pn_connection_driver_read_closed(&driver_)) wait_readable();
}

void AmqpConnection::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto space = pn_connection_driver_read_buffer(&driver_);
    if (space.size == 0) return;  // closed: the rest interests nobody
    const auto count = std::min(space.size, bytes.size());
    std::memcpy(space.start, bytes.data(), count);
    pn_connection_driver_read_done(&driver_, count);
    bytes.remove_prefix(count);
  }
}

bool AmqpConnection::run() {
  if (running_ || ended_ || target_) return false;
  running_ = true;
  const auto self = shared_from_this();
  do {
    while (auto* event = pn_connection_driver_next_event(&driver_)) {
      // What comes between our close and the peer's interests nobody.
      if (!closing_) on_event(event);
      // Only now it is known how long the peer bears silence.
      if (pn_event_type(event) == PN_CONNECTION_REMOTE_OPEN) tick();
    }
    write();
  } while (pn_connection_driver_has_event(&driver_));
  running_ = false;
  if (pn_connection_driver_finished(&driver_)) {
    end();
    return false;
  }
  if (!moving_) return true;
  // After whatever is queued for it on this shard.
  target_ = moving_->shard;
  shard_->post([self] { self->move(); });
  return false;
}

void AmqpConnection::move() {
  boost::system::error_code ignored;
  const auto protocol = socket_.local_endpoint(ignored).protocol();
  const auto fd = socket_.release(ignored);
  shard_ = target_;
  shard_->post([this, self = shared_from_this(), fd, protocol] {
    socket_ = asio::ip::tcp::socket(shard_->context(), protocol, fd);
    timer_ = asio::steady_timer(shard_->context());
    waits_for_writable_ = false;
    target_ = nullptr;
    const auto then = std::move(moving_->then);
    moving_.reset();
    then();
    start();
  });
}

void AmqpConnection::move_to(Shard& shard, std::function<void()> then) {
  if (&shard == shard_) return then();
  timer_.cancel();
  moving_ = Move{&shard, std::move(then)};
}

/// Up to a buffer full of the engine's output. Each of its own buffers holds a frame at most.
std::string_view AmqpConnection::gather() {
  on_output();
  const auto buffer = shard_->output();
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const auto bytes = pn_connection_driver_write_buffer(&driver_);
    if (bytes.size == 0) break;
    const auto count = std::min(bytes.size, buffer.size() - filled);
    std::memcpy(buffer.data() + filled, bytes.start, count);
    pn_connection_driver_write_done(&driver_, count);
    filled += count;
  }
  return {buffer.data(), filled};
}

void AmqpConnection::write() {
  for (;;) {
    const std::string_view bytes = unwritten_.empty() ? gather() : std::string_view(unwritten_);
    if (bytes.empty()) break;
    const auto count = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      socket_error_ = errno_text(errno);
      unwritten_.clear();
      pn_connection_driver_write_close(&driver_);
      pn_connection_driver_read_close(&driver_);
      return;
    }
    const auto written = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    if (written < bytes.size()) {
      std::string rest(bytes.substr(written));
      unwritten_ = std::move(rest);
      return wait_writable();
    }
    unwritten_ = {};
  }
  if (pn_connection_driver_write_closed(&driver_)) ::shutdown(socket_.native_handle(), SHUT_WR);
}

void AmqpConnection::tick() {
  const auto now = now_ms();
  const auto next = pn_transport_tick(driver_.transport, now);
  if (next == 0) return;
  timer_.expires_after(std::chrono::milliseconds(std::max<std::int64_t>(next - now, 1)));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->ended_) return;
    self->tick();
    self->run();
  });
}

void AmqpConnection::close_with(const char* condition, const std::string& description) {
  auto* error = pn_connection_condition(driver_.connection);
  pn_condition_set_name(error, condition);
  pn_condition_set_description(error, description.c_str());
  pn_connection_close(driver_.connection);
  closing_ = true;
  timer_.expires_after(kFarewell);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& aborted) {
    if (aborted || self->ended_) return;
    self->unwritten_.clear();
    pn_connection_driver_close(&self->driver_);
    self->run();
  });
  touch();
}

void AmqpConnection::give_up(const std::string& reason) {
  if (ended_) return;
  socket_error_ = reason;
  unwritten_.clear();
  pn_connection_driver_close(&driver_);
  touch();
}

std::string AmqpConnection::reason() const {
  if (!socket_error_.empty()) return socket_error_;
  for (auto* condition :
       {pn_connection_condition(driver_.connection), pn_connection_remote_condition(driver_.connection),
        pn_transport_condition(driver_.transport)})
    if (pn_condition_is_set(condition)) {
      const auto* description = pn_condition_get_description(condition);
      return std::string(pn_condition_get_name(condition)) + ": " + (description ? description : "");
    }
  return {};
}

void AmqpConnection::end() {
  ended_ = true;
  timer_.cancel();
  const auto why = reason();
  boost::system::error_code ignored;
  socket_.close(ignored);
  on_disconnected(why);
}

}  // namespace knetsim::skupper::router
