#include "kubeproxy_process.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "harness.h"
#include "knetsim/apiserver/client.h"
#include "knetsim/etcd/ensemble.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"
#include "service_probe.h"

namespace knetsim::bench {

namespace {

using nlohmann::json;

constexpr std::uint16_t kApiPort = 8001;
constexpr std::uint32_t kWriters = 4;
constexpr auto kServices = "/api/v1/namespaces/default/services";
constexpr auto kSlices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

const Address kHere = parse_address("127.0.0.1");

json service_object(std::uint32_t number) {
  const auto ip = ServiceProbe::service(number).to_string();
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", {{"name", fmt::format("service-{}", number)}}},
          {"spec",
           {{"clusterIP", ip},
            {"ports", {{{"name", "http"}, {"port", ServiceProbe::kServicePort}, {"targetPort", 8080}}}}}}};
}

json slice_object(std::uint32_t number) {
  json endpoints = json::array();
  for (std::uint32_t i = 0; i < ServiceProbe::kEndpoints; ++i)
    endpoints.push_back({{"addresses", {ServiceProbe::endpoint(number, i).to_string()}},
                         {"conditions", {{"ready", true}, {"serving", true}, {"terminating", false}}},
                         {"nodeName", ServiceProbe::node(number, i)}});
  return {{"apiVersion", "discovery.k8s.io/v1"},
          {"kind", "EndpointSlice"},
          {"metadata",
           {{"name", fmt::format("service-{}-x", number)},
            {"labels", {{"kubernetes.io/service-name", fmt::format("service-{}", number)}}}}},
          {"addressType", "IPv4"},
          {"endpoints", std::move(endpoints)},
          {"ports", {{{"name", "http"}, {"port", ServiceProbe::kEndpointPort}, {"protocol", "TCP"}}}}};
}

/// Started, and its log has that line.
Process started(const std::vector<std::string>& argv, const std::filesystem::path& log, const std::string& line) {
  auto process = Process::spawn({.argv = argv, .directory = log.parent_path()}, log);
  wait_until_ready(process,
                   {.deed = "said \"" + line + "\"",
                    .probe = [&]() -> std::optional<std::string> {
                      if (read_file(log).find(line) != std::string::npos) return std::nullopt;
                      return "the line \"" + line + "\" in its log";
                    },
                    .watched = log},
                   std::chrono::minutes(2));
  return process;
}

void fill(std::uint32_t services) {
  std::vector<std::thread> writers;
  std::vector<std::exception_ptr> failures(kWriters);
  for (std::uint32_t first = 0; first < kWriters; ++first)
    writers.emplace_back([services, first, &failure = failures[first]] {
      try {
        apiserver::Client client(kHere, kApiPort);
        for (auto number = first; number < services; number += kWriters) {
          client.must("POST", kServices, service_object(number));
          client.must("POST", kSlices, slice_object(number));
        }
      } catch (...) {
        failure = std::current_exception();
      }
    });
  for (auto& writer : writers) writer.join();
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace

double measure_process(std::uint32_t services) {
  const auto directory = std::filesystem::path(kStateDirectory) / fmt::format("bench-kubeproxy-{}", services);
  std::filesystem::create_directories(directory);
  const auto programs = own_directory();
  const auto ensemble = etcd::Ensemble::start({{.name = "m1",
                                                .address = parse_address("127.0.0.2"),
                                                .directory = directory / "m1",
                                                .log = directory / "m1.log"}});
  const auto server = started({(programs / "knetsim-apiserver").string(), "--etcd-servers=http://127.0.0.2:2379"},
                              directory / "apiserver.log", "serving on");
  fill(services);
  apiserver::Client client(kHere, kApiPort);
  for (const auto* path : {kServices, kSlices}) client.must("GET", path);
  ServiceProbe probe;
  probe.netns().pin("bench");
  const auto begin = std::chrono::steady_clock::now();
  const auto proxy = started({(programs / "knetsim-kube-proxy").string(), "--hostname-override=node-0",
                              "--netns=/run/netns/bench", "--cluster-cidr=11.0.0.0/8"},
                             directory / "kube-proxy.log", "in step with");
  const auto took = seconds_since(begin) * 1'000;
  probe.require_answers(services);
  return took;
}

}  // namespace knetsim::bench
