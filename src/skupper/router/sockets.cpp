#include "router/sockets.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <cerrno>

#include "knetsim/sys/error.h"

namespace knetsim::skupper::router {

using boost::asio::ip::tcp;

namespace {

/// Between attempts when the process has no descriptor left.
constexpr std::chrono::milliseconds kBreath{50};

std::string remedy_for(int error) {
  switch (error) {
    case EADDRINUSE:
      return "see who uses it: ss -ltnp";
    case EADDRNOTAVAIL:
      return "give an address that this machine has: ip address";
    case EACCES:
      return "ports below 1024 need the capability CAP_NET_BIND_SERVICE";
    default:
      return {};
  }
}

[[noreturn]] void fail(const boost::system::error_code& error, const std::string& where, const std::string& tried) {
  throw SystemError(error.value(), {.where = where, .tried = tried, .remedy = remedy_for(error.value())});
}

}  // namespace

void make_prompt(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
}

void reset(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

std::string to_string(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", address, endpoint.port())
                                    : fmt::format("{}:{}", address, endpoint.port());
}

std::string peer_name(const tcp::socket& socket) {
  boost::system::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? "unknown" : to_string(endpoint);
}

struct Acceptor::Port : std::enable_shared_from_this<Port> {
  Port(Shard& shard, Accepted to) : acceptor(shard.context()), timer(shard.context()), accepted(std::move(to)) {}

  void listen(const tcp::endpoint& endpoint, int backlog) {
    const auto where = to_string(endpoint);
    boost::system::error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (error) fail(error, where, "make a socket");
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (endpoint.protocol() == tcp::v6()) acceptor.set_option(boost::asio::ip::v6_only(true), error);
    acceptor.bind(endpoint, error);
    if (error) fail(error, where, "bind");
    acceptor.listen(backlog > 0 ? backlog : tcp::acceptor::max_listen_connections, error);
    if (error) fail(error, where, "listen");
    accept();
  }

  void accept() {
    acceptor.async_accept([self = shared_from_this()](const boost::system::error_code& error, tcp::socket socket) {
      if (!self->acceptor.is_open()) return;
      if (!error) {
        self->accepted(std::move(socket));
        if (self->acceptor.is_open()) self->accept();
      } else if (error != boost::asio::error::operation_aborted) {
        self->timer.expires_after(kBreath);
        self->timer.async_wait([self](const boost::system::error_code& aborted) {
          if (!aborted && self->acceptor.is_open()) self->accept();
        });
      }
    });
  }

  void close() {
    boost::system::error_code ignored;
    acceptor.close(ignored);
    timer.cancel();
  }

  tcp::acceptor acceptor;
  boost::asio::steady_timer timer;
  Accepted accepted;
};

Acceptor::Acceptor(Shard& shard, const std::string& host, std::uint16_t port, int backlog, Accepted accepted) {
  std::vector<tcp::endpoint> endpoints;
  if (host.empty()) {
    endpoints = {{tcp::v4(), port}, {tcp::v6(), port}};
  } else {
    boost::system::error_code error;
    tcp::resolver resolver(shard.context());
    for (const auto& found : resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error))
      endpoints.push_back(found.endpoint());
    if (error)
      throw Error(describe({.where = host,
                            .tried = "listen on it",
                            .answer = error.message(),
                            .remedy = "give an address of this machine, or a name that resolves to one"}));
  }
  for (const auto& endpoint : endpoints) {
    auto one = std::make_shared<Port>(shard, accepted);
    try {
      one->listen(endpoint, backlog);
    } catch (const SystemError&) {
      one->close();
      // A kernel without IPv6 is no reason not to listen at all.
      if (host.empty() && endpoint.protocol() == tcp::v6()) continue;
      for (const auto& listening : ports_) listening->close();
      throw;
    }
    ports_.push_back(std::move(one));
  }
}

Acceptor::~Acceptor() {
  for (const auto& port : ports_) port->close();
}

std::vector<tcp::endpoint> Acceptor::endpoints() const {
  std::vector<tcp::endpoint> result;
  boost::system::error_code ignored;
  for (const auto& port : ports_) result.push_back(port->acceptor.local_endpoint(ignored));
  return result;
}

Dialler::Dialler(Shard& shard, const Log* log, const Connector& connector, Connected connected)
    : shard_(shard),
      log_(log),
      connector_(connector),
      connected_(std::move(connected)),
      resolver_(shard.context()),
      socket_(shard.context()),
      timer_(shard.context()) {}

void Dialler::dial() {
  const auto self = shared_from_this();
  const auto done = [self](const boost::system::error_code& error, const tcp::endpoint&) {
    if (!error) {
      self->last_failure_.clear();
      return self->connected_(self, std::move(self->socket_));
    }
    // Once for each reason: a peer that is away is tried often.
    if (const auto failure = error.message(); failure != std::exchange(self->last_failure_, failure) && self->log_)
      self->log_->info("SERVER", fmt::format("Connection to {}:{} failed: {}", self->connector_.host,
                                             self->connector_.port, failure));
    self->retry();
  };
  socket_ = tcp::socket(shard_.context());
  resolver_.async_resolve(connector_.host, std::to_string(connector_.port),
                          [self, done](const boost::system::error_code& error, const tcp::resolver::results_type& all) {
                            if (error) return done(error, {});
                            boost::asio::async_connect(self->socket_, all, done);
                          });
}

void Dialler::retry() {
  timer_.expires_after(delay_);
  delay_ = std::min(2 * delay_, kLast);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->dial();
  });
}

void Dialler::ended(bool worked) {
  if (worked) delay_ = kFirst;
  retry();
}

}  // namespace knetsim::skupper::router
