#include "router/shard.h"

#include <boost/asio/executor_work_guard.hpp>

#include "router/view.h"

namespace knetsim::skupper::router {

namespace {

thread_local const Shard* current = nullptr;

}  // namespace

Shard::Shard() : view_(std::make_shared<const View>()) {}

bool Shard::here() const noexcept { return current == this; }

void Shard::run(const std::function<void(const std::exception&)>& failed) {
  current = this;
  const auto work = boost::asio::make_work_guard(context_);
  for (bool stopped = false; !stopped;) {
    try {
      context_.run();
      stopped = true;
    } catch (const std::exception& error) {
      failed(error);
    }
  }
}

void Shard::poll() {
  current = this;
  context_.restart();
  context_.poll();
}

}  // namespace knetsim::skupper::router
