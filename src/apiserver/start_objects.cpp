#include "start_objects.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "knetsim/kube/kinds.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"
#include "now.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
using nlohmann::json;

namespace {

constexpr const char* kDefault = "default";
constexpr const char* kName = "kubernetes";

json service(const kube::ServiceRanges& ranges, std::uint16_t port) {
  const json own{{"name", "https"}, {"protocol", "TCP"}, {"port", 443}, {"targetPort", port}};
  const auto first = advance(ranges.ipv4.network(), 1).to_string();
  return {{"metadata", {{"name", kName}, {"labels", {{"component", "apiserver"}, {"provider", kName}}}}},
          {"spec", {{"clusterIP", first}, {"type", "ClusterIP"}, {"ports", json::array({own})}}}};
}

json endpoints(const OwnAddress& own) {
  return {{"metadata", {{"name", kName}, {"labels", {{"endpointslice.kubernetes.io/skip-mirror", "true"}}}}},
          {"subsets",
           {{{"addresses", {{{"ip", own.address->to_string()}}}},
             {"ports", {{{"name", "https"}, {"port", own.port}, {"protocol", "TCP"}}}}}}}};
}

json slice(const OwnAddress& own) {
  return {{"metadata", {{"name", kName}, {"labels", {{"kubernetes.io/service-name", kName}}}}},
          {"addressType", own.address->is_v6() ? "IPv6" : "IPv4"},
          {"endpoints", {{{"addresses", {own.address->to_string()}}, {"conditions", {{"ready", true}}}}}},
          {"ports", {{{"name", "https"}, {"port", own.port}, {"protocol", "TCP"}}}}};
}

/// Makes it, or makes these members of what is there the same.
asio::awaitable<void> set(Writer& writer, Store& store, const kube::Kind& kind, json wanted) {
  if (co_await writer.create_if_absent(kind, kDefault, wanted)) co_return;
  co_await store.change(kind, kDefault, kName, [&](const json& old) -> Decision {
    auto object = old;
    for (const char* member : {"subsets", "endpoints", "ports", "addressType"})
      if (wanted.contains(member)) object[member] = wanted[member];
    object = kube::prepare_update(kind, old, kube::read_object(kind, object, kube::FieldValidation::strict).object,
                                  kube::Author{.manager = "knetsim-apiserver", .subresource = {}, .now = now()});
    if (object == old) return {Decision::Deed::keep, std::move(object)};
    return {Decision::Deed::write, std::move(object)};
  });
}

asio::awaitable<void> make(Writer& writer, const kube::Kind& kind, std::string ns, json object) {
  co_await writer.create_if_absent(kind, std::move(ns), std::move(object));
}

/// Each takes a round trip to etcd's disk.
asio::awaitable<void> at_once(std::vector<asio::awaitable<void>> all) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer done(executor, asio::steady_timer::time_point::max());
  std::size_t left = all.size();
  std::exception_ptr failure;
  for (auto& each : all)
    asio::co_spawn(executor, std::move(each), [&](std::exception_ptr thrown) {
      if (thrown) failure = std::move(thrown);
      if (--left == 0) done.cancel();
    });
  boost::system::error_code ignored;
  while (left > 0) co_await done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

asio::awaitable<void> make_start_objects(Writer& writer, Store& store, const kube::ServiceRanges& ranges,
                                         OwnAddress own) {
  std::vector<asio::awaitable<void>> all;
  for (const char* name : {kDefault, "kube-node-lease", "kube-public", "kube-system"})
    all.push_back(make(writer, kube::must_be("namespaces"), {}, {{"metadata", {{"name", name}}}}));
  all.push_back(make(writer, kube::must_be("services"), kDefault, service(ranges, own.port)));
  if (own.address) {
    all.push_back(set(writer, store, kube::must_be("endpoints"), endpoints(own)));
    all.push_back(set(writer, store, kube::must_be("endpointslices", "discovery.k8s.io"), slice(own)));
  }
  co_await at_once(std::move(all));
}

}  // namespace knetsim::apiserver
