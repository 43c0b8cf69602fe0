#include "router/metrics.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

namespace knetsim::skupper::router {

namespace {

std::string metric(std::string_view name, std::string_view type, std::string_view help, std::int64_t value) {
  return fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

}  // namespace

std::string metrics(const View& view, const Flows::Counters& counters, std::size_t connections) {
  const auto count = [](const std::atomic<std::uint64_t>& value) { return static_cast<std::int64_t>(value.load()); };
  return metric("qdr_connections_total", "gauge", "AMQP connections with routers.",
                static_cast<std::int64_t>(connections)) +
         metric("qdr_routers_total", "gauge", "Other routers that can be reached.",
                static_cast<std::int64_t>(view.table.routes.size())) +
         metric("qdr_addresses_total", "gauge", "Addresses that have a consumer.",
                static_cast<std::int64_t>(view.table.addresses.size())) +
         metric("qdr_streaming_links", "gauge", "Links that carry streams to other routers.", counters.links.load()) +
         metric("qdr_tcp_endpoints", "gauge", "TCP connections with clients and services.", counters.open.load()) +
         metric("qdr_tcp_accepted_total", "counter", "Connections of clients.", count(counters.accepted)) +
         metric("qdr_tcp_connected_total", "counter", "Connections to services that were tried.",
                count(counters.connected)) +
         metric("qdr_tcp_refused_total", "counter", "Connections to services that failed.", count(counters.refused)) +
         metric("qdr_transit_streams_total", "counter", "Streams that were passed on to another router.",
                count(counters.transit));
}

}  // namespace knetsim::skupper::router
