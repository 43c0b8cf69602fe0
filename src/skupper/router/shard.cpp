#include "router/shard.h"

#include <boost/asio/executor_work_guard.hpp>
#include <tuple>

#include "router/router_connection.h"
#include "wire/address.h"

namespace knetsim::skupper::router {

namespace {

thread_local const Shard* current = nullptr;

}  // namespace

std::optional<FlowTarget> choose_target(const View& view, const std::string& address,
                                        const wire::RouterAnnotations* passed) {
  std::optional<FlowTarget> best;
  std::tuple<std::uint64_t, std::uint64_t> best_value;
  const auto consider = [&](FlowTarget target, std::uint64_t cost) {
    const std::tuple value(target.load->active + cost, target.load->total.load());
    if (best && best_value <= value) return;
    best = std::move(target);
    best_value = value;
  };
  if (const auto found = view.services.find(address); found != view.services.end())
    for (const auto& service : found->second)
      consider({service, nullptr, {}, std::shared_ptr<Load>(service, &service->load)}, 0);
  if (const auto found = view.edge_consumers.find(address); found != view.edge_consumers.end())
    for (const auto& edge : found->second)
      if (!passed || !wire::has_passed(*passed, edge.connection->router()))
        consider({nullptr, edge.connection, {}, edge.load}, 0);
  if (const auto found = view.upstream.find(address); view.uplink && !passed && found != view.upstream.end())
    consider({nullptr, view.uplink, {}, found->second}, 1);
  const auto* consumers = view.table.consumers(wire::mobile_key(address));
  const auto loads = view.remote.find(address);
  if (!consumers || loads == view.remote.end()) return best;
  for (const auto& remote : consumers->remote) {
    const auto load = loads->second.find(remote.router);
    if (load == loads->second.end() || (passed && wire::has_passed(*passed, remote.router))) continue;
    consider({nullptr, nullptr, remote.router, load->second}, static_cast<std::uint64_t>(remote.cost));
  }
  return best;
}

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
