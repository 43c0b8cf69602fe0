#include "flannel_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim::flannel::test {

namespace {

constexpr std::chrono::milliseconds kPatience{45'000};

void plug(const NetNs& node, const NetNs& hub, int bridge, const std::string& port,
          const std::vector<Network>& addresses) {
  // Else eth0 gets a fe80:: address, a second or two after it came up: a daemon that is told of that puts back, by the
  // way, whatever it should have put back before.
  if (std::none_of(addresses.begin(), addresses.end(), is_v6))
    node.run([] { write_sysctl("net.ipv6.conf.default.disable_ipv6", "1"); });
  netlink::create_veth({.ns = node, .name = "eth0", .up = true},
                       {.ns = hub, .name = port, .up = true, .master = bridge});
  netlink::Socket socket(node);
  const int index = netlink::get_link(socket, "eth0").index;
  for (const auto& address : addresses) netlink::add_address(socket, index, {.address = address});
}

}  // namespace

void FlannelTest::add_worker(std::size_t index) {
  auto worker = std::make_unique<Worker>(fmt::format("w{}", index + 1));
  worker->v4 = advance(parse_address("10.0.0.10"), index);
  worker->v6 = advance(parse_address("fd00::10"), index);
  std::vector<Network> addresses{make_network(worker->v4, 8)};
  if (config_.v6) addresses.push_back(make_network(worker->v6, 64));
  plug(worker->netns, *switch_, bridge_, worker->name, addresses);
  workers_.push_back(std::move(worker));
}

void FlannelTest::stand_up(std::size_t workers, const std::string& json) {
  config_ = parse_config(json);
  switch_ = NetNs::create();
  netlink::Socket hub(*switch_, "switch");
  bridge_ = netlink::create_bridge(hub, {.name = "br0", .up = true, .multicast_snooping = false});
  etcd_node_ = NetNs::create();
  plug(*etcd_node_, *switch_, bridge_, "etcd", {parse_network("10.0.0.1/8"), parse_network("fd00::1/64")});
  for (std::size_t i = 0; i < workers; ++i) add_worker(i);
  ensemble_ = etcd::Ensemble::start({{.name = "m1",
                                      .netns = &*etcd_node_,
                                      .address = parse_address("10.0.0.1"),
                                      .directory = "/tmp/knetsim/etcd",
                                      .log = "/tmp/knetsim/etcd.log"}});
  client_ = ensemble_->client();
  configure(json);
}

void FlannelTest::configure(const std::string& json) {
  write_config(*client_, "/coreos.com/network", json);
  config_ = parse_config(json);
}

void FlannelTest::plug_into_switch(const NetNs& netns, const std::string& port) {
  plug(netns, *switch_, bridge_, port, {});
}

void FlannelTest::add_etcd_route(const netlink::Route& route) {
  netlink::Socket socket(*etcd_node_, "etcd");
  netlink::add_route(socket, route);
}

void FlannelTest::restart_etcd() {
  ensemble_->members().front().restart();
  ensemble_->wait_until_healthy(kPatience);
}

DaemonOptions FlannelTest::options(std::size_t index) {
  DaemonOptions options;
  options.etcd_endpoints = ensemble_->endpoints();
  options.interfaces = {"eth0"};
  options.subnet_file = fmt::format("/tmp/knetsim/{}/subnet.env", worker(index).name);
  return options;
}

void FlannelTest::start(std::size_t index, const DaemonOptions& options) {
  auto& it = worker(index);
  it.daemon.reset();
  it.daemon = Launched::start({.program = parts::resolve(parts::kFlannel, parts::Flavour::builtin),
                               .netns = &it.netns,
                               .options = options,
                               .directory = "/tmp/knetsim/" + it.name,
                               .log = it.log()});
}

void FlannelTest::await_ready(std::size_t index) {
  auto& it = worker(index);
  it.env = it.daemon->wait_until_ready(config_, kPatience);
}

void FlannelTest::start_all() {
  for (std::size_t i = 0; i < size(); ++i) start(i);
  for (std::size_t i = 0; i < size(); ++i) await_ready(i);
}

ExitStatus FlannelTest::stop(std::size_t index, int signal) {
  auto& process = worker(index).daemon->process();
  process.signal(signal);
  return process.wait(kPatience);
}

void FlannelTest::await_peer(std::size_t from, std::size_t to) {
  const auto base = address_of(worker(to).subnet());
  auto socket = worker(from).socket();
  const int link = netlink::get_link(socket, vxlan_link_name(config_.backend.vni, false)).index;
  netlink::wait_for_route(
      worker(from).netns, worker(to).subnet(),
      [&](const auto& route) { return route.interface == link && route.gateway == base && route.onlink; }, kPatience);
  auto far = worker(to).socket();
  const auto vtep = netlink::get_link(far, vxlan_link_name(config_.backend.vni, false)).mac;
  eventually(
      [&]() -> std::optional<std::string> {
        const auto neighbours = netlink::list_neighbours(socket, AF_INET, link);
        const auto is_neighbour = [&](const auto& n) { return n.address == base && n.mac == vtep && n.permanent(); };
        if (std::none_of(neighbours.begin(), neighbours.end(), is_neighbour))
          return worker(from).name + ": a neighbour " + base.to_string() + " " + netlink::to_string(vtep);
        const auto fdb = netlink::list_fdb(socket, link);
        const auto leads_there = [&](const auto& e) { return e.mac == vtep && e.destination == worker(to).v4; };
        if (std::none_of(fdb.begin(), fdb.end(), leads_there))
          return worker(from).name + ": an FDB entry " + netlink::to_string(vtep) + " dst " + worker(to).v4.to_string();
        return std::nullopt;
      },
      kPatience);
}

void FlannelTest::await_full_mesh() {
  for (std::size_t from = 0; from < size(); ++from) {
    for (std::size_t to = 0; to < size(); ++to) {
      if (from != to) await_peer(from, to);
    }
  }
}

std::string FlannelTest::log_of(std::size_t index) { return read_file(worker(index).log()); }

void FlannelTest::await_log(std::size_t index, const std::string& text) {
  eventually(
      [&]() -> std::optional<std::string> {
        if (log_of(index).find(text) != std::string::npos) return std::nullopt;
        return fmt::format("\"{}\" in the log of {}:\n{}", text, worker(index).name, log_of(index));
      },
      kPatience);
}

void FlannelTest::add_pods() {
  for (const auto& it : workers_) {
    auto socket = it->socket();
    const int lo = netlink::get_link(socket, "lo").index;
    for (const auto& subnet : {it->env.subnet, it->env.ipv6_subnet}) {
      if (!subnet) continue;
      const auto pod = address_of(*subnet);
      netlink::replace_address(socket, lo, {.address = host_network(pod), .scope = RT_SCOPE_UNIVERSE});
      // The kernel takes up an IPv6 address in a work queue, also without duplicate address detection.
      eventually([&]() -> std::optional<std::string> {
        const auto route = netlink::lookup_route(socket, pod);
        if (route && route->type == RTN_LOCAL) return std::nullopt;
        return fmt::format("{} as a local address of {}", pod.to_string(), it->name);
      });
    }
  }
}

ExecResult FlannelTest::ping(std::size_t from, std::size_t to, std::vector<std::string> more) {
  const auto pod = [](const Worker& it) {
    return address_of(it.env.subnet ? *it.env.subnet : *it.env.ipv6_subnet).to_string();
  };
  Command command{.argv = {"ping", "-n", "-I", pod(worker(from)), pod(worker(to))}, .netns = &worker(from).netns};
  command.argv.insert(command.argv.begin() + 2, more.begin(), more.end());
  return exec(command, kPatience);
}

std::vector<etcd::KeyValue> FlannelTest::leases() { return client_->list(prefix()).kvs; }

std::string FlannelTest::key_of(std::size_t index) {
  const auto& env = worker(index).env;
  LeaseSubnets subnets;
  if (env.subnet) subnets.v4 = worker(index).subnet();
  if (env.ipv6_subnet) subnets.v6 = worker(index).subnet_v6();
  return prefix() + key_name(subnets);
}

std::optional<etcd::KeyValue> FlannelTest::lease_of(std::size_t index) { return client_->get(key_of(index)); }

}  // namespace knetsim::flannel::test
