// bench-kube: what the API server costs over one etcd, beside a bare etcd client in the same run.
//
// For comparison: kube-apiserver 1.32 on two loaded cores is ready after 2.4 to 3.5 s, takes 250 MiB idle and 532 MiB
// with 10,000 services and slices, which it writes in 80 s.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness.h"
#include "knetsim/apiserver/client.h"
#include "knetsim/etcd/ensemble.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::bench {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::uint16_t kPort = 8001;
constexpr double kReadyMs = 60;
constexpr double kIdleMib = 12;
constexpr double kFullMib = 120;
constexpr double kWriteRatio = 1.5;
constexpr double kListMs = 150;
constexpr double kEventP50Ms = 2;
constexpr double kEventP99Ms = 10;
constexpr int kConnections = 4;
constexpr double kMib = 1024;

const Address kLoopback = parse_address("127.0.0.1");

double pss_mib(pid_t pid) {
  std::ifstream text(fmt::format("/proc/{}/smaps_rollup", pid));
  for (std::string line; std::getline(text, line);)
    if (line.starts_with("Pss:")) return static_cast<double>(std::stol(line.substr(4))) / kMib;
  throw Error(fmt::format("process {} has no PSS", pid));
}

std::string cpu_model() {
  std::ifstream text("/proc/cpuinfo");
  for (std::string line; std::getline(text, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

double load() {
  double value = 0;
  std::ifstream("/proc/loadavg") >> value;
  return value;
}

/// `count` pieces of work, each by one of the threads; `make` gives each thread its own worker.
template <typename Make>
double in_threads(int count, Make make) {
  const auto begin = steady_clock::now();
  std::vector<std::thread> threads;
  std::vector<std::exception_ptr> failures(kConnections);
  for (int t = 0; t < kConnections; ++t)
    threads.emplace_back([&, t] {
      try {
        auto work = make();
        for (int i = t; i < count; i += kConnections) work(i);
      } catch (...) {
        failures[static_cast<std::size_t>(t)] = std::current_exception();
      }
    });
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return seconds_since(begin);
}

json service(int i) {
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", {{"name", fmt::format("s{}", i)}, {"labels", {{"app", fmt::format("a{}", i)}}}}},
          {"spec",
           {{"selector", {{"app", fmt::format("a{}", i)}}},
            {"ports", {{{"name", "http"}, {"port", 80}, {"targetPort", 8080}}}}}}};
}

json slice(int i) {
  json endpoints = json::array();
  for (int e = 0; e < 2; ++e)
    endpoints.push_back({{"addresses", {fmt::format("10.{}.{}.{}", 100 + e, i / 250, 1 + i % 250)}},
                         {"conditions", {{"ready", true}, {"serving", true}, {"terminating", false}}}});
  return {{"apiVersion", "discovery.k8s.io/v1"},
          {"kind", "EndpointSlice"},
          {"metadata",
           {{"name", fmt::format("s{}-x", i)}, {"labels", {{"kubernetes.io/service-name", fmt::format("s{}", i)}}}}},
          {"addressType", "IPv4"},
          {"endpoints", std::move(endpoints)},
          {"ports", {{{"name", "http"}, {"port", 8080}, {"protocol", "TCP"}}}}};
}

/// What the server answers, as it comes: reading JSON is the client's own affair.
std::string text_at(const std::string& path) {
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  socket.connect({kLoopback, kPort});
  http::request<http::empty_body> request(http::verb::get, path, 11);
  request.set(http::field::host, "bench");
  http::write(socket, request);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(1ULL << 30);
  http::read(socket, buffer, parser);
  return parser.release().body();
}

/// Many watches of one namespace's ConfigMaps, each on a connection of its own, and when each was told what.
class Watchers {
 public:
  Watchers(int count, const std::string& revision) {
    for (int i = 0; i < count; ++i) {
      auto& one = *all_.emplace_back(std::make_unique<One>(context_));
      one.socket.connect({kLoopback, kPort});
      asio::write(one.socket, asio::buffer(fmt::format(
                                  "GET /api/v1/namespaces/bench/configmaps?watch=true&resourceVersion={} HTTP/1.1\r\n"
                                  "Host: bench\r\n\r\n",
                                  revision)));
      read(one);
    }
  }
  /// Until all have been told `mark`: the times that passed since `begin`, in ms.
  std::vector<double> times_of(const std::string& mark, steady_clock::time_point begin) {
    mark_ = mark;
    begin_ = begin;
    times_.clear();
    for (auto& one : all_) look(*one);
    context_.restart();
    while (times_.size() < all_.size() && context_.run_one_for(std::chrono::seconds(10)) > 0) {
    }
    if (times_.size() < all_.size()) throw Error("a watcher was never told of " + mark);
    return times_;
  }

 private:
  struct One {
    explicit One(asio::io_context& context) : socket(context) {}
    asio::ip::tcp::socket socket;
    std::array<char, 8192> piece{};
    std::string text;
  };
  void read(One& one) {
    one.socket.async_read_some(asio::buffer(one.piece),
                               [this, &one](const boost::system::error_code& error, std::size_t size) {
                                 if (error) return;
                                 one.text.append(one.piece.data(), size);
                                 look(one);
                                 read(one);
                               });
  }
  void look(One& one) {
    const auto at = one.text.find(mark_);
    if (mark_.empty() || at == std::string::npos) return;
    one.text.erase(0, at + mark_.size());
    times_.push_back(seconds_since(begin_) * 1'000);
  }

  asio::io_context context_;
  std::vector<std::unique_ptr<One>> all_;
  std::string mark_;
  steady_clock::time_point begin_;
  std::vector<double> times_;
};

struct Run {
  double ready_ms = 0;
  double idle_mib = 0;
  double write_s = 0;
  double bare_s = 0;
  double full_mib = 0;
  double list_ms = 0;
  double event_p50_ms = 0;
  double event_p99_ms = 0;
};

class Bench {
 public:
  /// A member's directory stays mounted until the end, so that each run has one of its own.
  Bench(int objects, int run)
      : objects_(objects), directory_(std::filesystem::path(kStateDirectory) / fmt::format("bench-kube-{}", run)) {
    std::filesystem::create_directories(directory_);
    ensemble_.emplace(etcd::Ensemble::start({{.name = "m1",
                                              .address = parse_address("127.0.0.2"),
                                              .directory = directory_ / "m1",
                                              .log = directory_ / "m1.log"}}));
  }

  Run measure() {
    Run run;
    run.ready_ms = start();
    run.idle_mib = pss_mib(server_->pid());
    apiserver::Client client(kLoopback, kPort);
    client.must("POST", "/api/v1/namespaces", {{"metadata", {{"name", "bench"}}}});
    run.write_s = in_threads(2 * objects_, [] {
      return [own = std::make_shared<apiserver::Client>(kLoopback, kPort)](int i) {
        if (i % 2 == 0)
          own->must("POST", "/api/v1/namespaces/bench/services", service(i / 2));
        else
          own->must("POST", "/apis/discovery.k8s.io/v1/namespaces/bench/endpointslices", slice(i / 2));
      };
    });
    run.full_mib = pss_mib(server_->pid());
    auto begin = steady_clock::now();
    const auto all = text_at("/api/v1/namespaces/bench/services");
    run.list_ms = seconds_since(begin) * 1'000;
    if (json::parse(all).at("items").size() != static_cast<std::size_t>(objects_)) throw Error("the list isn't whole");
    // The same values under the same keys of another prefix.
    std::vector<etcd::KeyValue> values;
    for (const auto* const prefix : {"/registry/services/specs/bench/", "/registry/endpointslices/bench/"})
      for (auto& kv : ensemble_->client().list(prefix).kvs) values.push_back(std::move(kv));
    run.bare_s = in_threads(static_cast<int>(values.size()), [&] {
      return [own = std::make_shared<etcd::SyncClient>(ensemble_->client()), &values](int i) {
        auto& kv = values[static_cast<std::size_t>(i)];
        own->put("/bare" + kv.key, kv.value);
      };
    });
    events(client, run);
    return run;
  }

 private:
  double start() {
    Command command;
    command.argv = {(own_directory() / "knetsim-apiserver").string(), "--etcd-servers=http://127.0.0.2:2379"};
    command.directory = directory_;
    const auto log = directory_ / "apiserver.log";
    const auto begin = steady_clock::now();
    server_.emplace(Process::spawn(command, log));
    wait_until_ready(*server_, {.deed = "served",
                                .probe = [&]() -> std::optional<std::string> {
                                  if (read_file(log).find("serving on") != std::string::npos) return std::nullopt;
                                  return "the line \"serving on\" in its log";
                                },
                                .watched = log});
    return seconds_since(begin) * 1'000;
  }

  static void events(apiserver::Client& client, Run& run) {
    constexpr int kWatchers = 100;
    constexpr int kWrites = 100;
    const std::string path = "/api/v1/namespaces/bench/configmaps";
    const auto made = client.must("POST", path, {{"metadata", {{"name", "c"}}}, {"data", {{"a", "0"}}}}).body;
    Watchers watchers(kWatchers, made.at("metadata").at("resourceVersion").get<std::string>());
    std::vector<double> times;
    for (int i = 1; i <= kWrites; ++i) {
      const auto mark = fmt::format("mark-{:06}", i);
      const auto begin = steady_clock::now();
      client.must("PATCH", path + "/c", {{"data", {{"a", mark}}}}, "application/merge-patch+json");
      const auto each = watchers.times_of(mark, begin);
      times.insert(times.end(), each.begin(), each.end());
    }
    std::ranges::sort(times);
    run.event_p50_ms = times[times.size() / 2];
    run.event_p99_ms = times[times.size() * 99 / 100];
  }

  int objects_;
  std::filesystem::path directory_;
  std::optional<etcd::Ensemble> ensemble_;
  std::optional<Process> server_;
};

int run(int argc, char** argv) {
  CLI::App app("What the API server costs over one etcd, beside a bare etcd client in the same run");
  int runs = 3;
  int objects = 10'000;
  std::string file;
  app.add_option("--runs", runs, "runs")->check(CLI::Range(1, 1000));
  app.add_option("--objects", objects, "services, and as many slices")->check(CLI::Range(1, 60'000));
  app.add_option("--json", file, "write the figures to this file");
  CLI11_PARSE(app, argc, argv);
  Sandbox::enter();

  Figure ready{"ready after etcd, ms", {}, kReadyMs};
  Figure idle{"PSS idle, MiB", {}, kIdleMib};
  Figure full{fmt::format("PSS with {} services and slices, MiB", objects), {}, kFullMib};
  Figure ratio{"written, times the bare client", {}, kWriteRatio};
  Figure list{"list of the services, ms", {}, kListMs};
  Figure p50{"write to event at 100 watchers, p50 ms", {}, kEventP50Ms};
  Figure p99{"the same, p99 ms", {}, kEventP99Ms};
  Series write;
  Series bare;
  for (int i = 0; i < runs; ++i) {
    const auto figures = Bench(objects, i).measure();
    ready.values.add(figures.ready_ms);
    idle.values.add(figures.idle_mib);
    full.values.add(figures.full_mib);
    ratio.values.add(figures.write_s / figures.bare_s);
    list.values.add(figures.list_ms);
    p50.values.add(figures.event_p50_ms);
    p99.values.add(figures.event_p99_ms);
    write.add(figures.write_s);
    bare.add(figures.bare_s);
    fmt::print("run {}: {} objects in {:.2f} s, the bare client {:.2f} s\n", i + 1, 2 * objects, figures.write_s,
               figures.bare_s);
    std::fflush(stdout);
  }
  for (const auto* figure : {&ready, &idle, &full, &ratio, &list, &p50, &p99}) {
    const auto& values = figure->values;
    fmt::print("{:<44} {:9.2f} ({:.2f} - {:.2f}; budget {:.1f}) {}\n", figure->name, values.median(), values.min(),
               values.max(), figure->budget, values.median() <= figure->budget ? "✓" : "✗");
  }
  return write_json(
      file,
      {{"schema", 1},
       {"bench", "kube"},
       {"knetsim",
        {{"ready_ms", ready.values.median()},
         {"pss_idle_mib", idle.values.median()},
         {fmt::format("pss_{}_mib", objects), full.values.median()},
         {fmt::format("write_{}_s", 2 * objects), write.median()},
         {"write_ratio", ratio.values.median()},
         {fmt::format("list_{}_ms", objects), list.values.median()},
         {"event_100_watchers_p50_ms", p50.values.median()},
         {"event_100_watchers_p99_ms", p99.values.median()}}},
       {"peers", {{"bare etcd client", {{fmt::format("write_{}_s", 2 * objects), bare.median()}}}}},
       {"machine",
        {{"cpus", std::thread::hardware_concurrency()}, {"model", cpu_model()}, {"load", load()}, {"runs", runs}}}});
}

}  // namespace
}  // namespace knetsim::bench

int main(int argc, char** argv) try { return knetsim::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "bench-kube: %s\n", error.what());
  return 2;
}
