#include "router/dialler.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/connect.hpp>

namespace knetsim::skupper::router {

using boost::asio::ip::tcp;

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
