#include "server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <exception>

#include "knetsim/sys/error.h"
#include "start_objects.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr int kFailure = 1;
constexpr std::chrono::seconds kEtcdPatience{60};
constexpr std::size_t kEtcdConnections = 16;

/// Of an inherited socket, which must be one that listens (socket(7), SO_ACCEPTCONN).
tcp family_of(std::string_view flag, int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) != 0 || value == 0)
    throw InputError(fmt::format("{} {}: it is no socket that listens", flag, fd));
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &size) != 0) throw SystemError("look at", std::string(flag));
  return value == AF_INET6 ? tcp::v6() : tcp::v4();
}

tcp::acceptor inherited(asio::io_context& context, std::string_view flag, int fd) {
  tcp::acceptor acceptor(context);
  acceptor.assign(family_of(flag, fd), fd);
  return acceptor;
}

std::string address_text(const tcp::endpoint& endpoint) {
  const auto host = endpoint.address().to_string();
  return fmt::format("{}:{}", endpoint.address().is_v6() ? "[" + host + "]" : host, endpoint.port());
}

tcp::acceptor listen_at(asio::io_context& context, const tcp::endpoint& endpoint, const std::string& remedy) {
  try {
    return {context, endpoint};
  } catch (const boost::system::system_error& error) {
    throw Error(describe({.where = {},
                          .tried = "listen on " + address_text(endpoint),
                          .answer = error.code().message(),
                          .remedy = remedy}));
  }
}

tcp::acceptor listen(asio::io_context& context, const ServerOptions& options) {
  if (options.listen_fd) return inherited(context, "--listen-fd", *options.listen_fd);
  return listen_at(context, {options.listen_address, options.listen_port}, "choose another --listen");
}

std::vector<tcp::acceptor> listen_securely(asio::io_context& context, const ServerOptions& options) {
  std::vector<tcp::acceptor> acceptors;
  if (options.tls_cert_file.empty()) return acceptors;
  acceptors.push_back(listen_at(context, {options.bind_address, options.secure_port},
                                "choose another --bind-address or --secure-port"));
  for (const int fd : options.secure_listen_fds) acceptors.push_back(inherited(context, "--secure-listen-fd", fd));
  return acceptors;
}

std::string api_address(const ServerOptions& options, const tcp::acceptor& acceptor) {
  if (!options.advertise_address) return address_text(acceptor.local_endpoint());
  return address_text(tcp::endpoint(*options.advertise_address, options.secure_port));
}

}  // namespace

Server::Server(ServerOptions options)
    : options_(std::move(options)),
      acceptor_(listen(context_, options_)),
      tls_(tls_context(options_)),
      secure_acceptors_(listen_securely(context_, options_)),
      kubelets_(kubelet_client_context(options_)),
      client_(context_.get_executor(), {.endpoints = options_.etcd_servers, .idle_connections = kEtcdConnections}),
      cache_(context_.get_executor(), options_.watch_window),
      feed_(context_.get_executor(), client_, cache_),
      store_(client_, cache_),
      allocations_(cache_, options_.ranges),
      writer_(cache_, store_, allocations_),
      authentication_(cache_, options_),
      api_(context_.get_executor(), client_, cache_, writer_, authentication_, kubelets_,
           api_address(options_, acceptor_)),
      http_(api_, authentication_, {.connections = options_.max_connections, .transfer = options_.request_timeout}) {
  api_.connections = [this] { return http_.connections(); };
}

void Server::stop(int code) {
  if (exit_code_) return;
  exit_code_ = code;
  context_.stop();
}

void Server::spawn(asio::awaitable<void> coroutine) {
  asio::co_spawn(context_, std::move(coroutine), [this](const std::exception_ptr& failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      spdlog::error("{}", error.what());
      stop(kFailure);
    }
  });
}

asio::awaitable<void> Server::start() {
  const auto begin = std::chrono::steady_clock::now();
  co_await feed_.fill(kEtcdPatience);
  spawn(feed_.follow());
  const OwnAddress own{options_.advertise_address, options_.secure_port};
  co_await make_start_objects(writer_, store_, options_.ranges, own);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  spdlog::info("serving on http://{} after {} ms, etcd at revision {}", address_text(acceptor_.local_endpoint()),
               took.count(), cache_.revision());
  spawn(http_.serve(acceptor_));
  for (auto& acceptor : secure_acceptors_) {
    spdlog::info("serving securely on https://{}", address_text(acceptor.local_endpoint()));
    spawn(http_.serve(acceptor, &*tls_));
  }
}

int Server::run() {
  asio::signal_set signals(context_, SIGINT, SIGTERM);
  signals.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) stop(0);
  });
  spawn(start());
  context_.run();
  return exit_code_.value_or(kFailure);
}

}  // namespace knetsim::apiserver
