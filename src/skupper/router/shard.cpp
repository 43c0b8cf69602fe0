#include "router/shard.h"

#include <boost/asio/executor_work_guard.hpp>

#include "router/view.h"

namespace knetsim::skupper::router {

namespace {

thread_local const Shard* current = nullptr;

}  // namespace

Shard::Shard() : view_(std::make_shared<const View>()) {}

bool Shard::here() const noexcept { return current == this; }

void Shard::run() {
  current = this;
  const auto work = boost::asio::make_work_guard(context_);
  context_.run();
}

}  // namespace knetsim::skupper::router
