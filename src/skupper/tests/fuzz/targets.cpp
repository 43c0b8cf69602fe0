#include "targets.h"

#include <chrono>
#include <stdexcept>

#include "knetsim/skupper/config.h"
#include "knetsim/sys/error.h"
#include "messages.h"
#include "routing/engine.h"
#include "wire/address.h"
#include "wire/control.h"
#include "wire/message.h"
#include "wire/proton.h"

namespace knetsim::skupper::fuzz {

namespace {

void expect(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// What was understood is the same when it is written and read again. Compared as bytes: NaN isn't equal to itself.
void value(std::string_view bytes) {
  try {
    const auto encoded = wire::encode(wire::decode(bytes));
    expect(wire::encode(wire::decode(encoded)) == encoded, "a value changed when it was written and read");
  } catch (const wire::ProtocolError&) {
  }
}

void control(std::string_view bytes) {
  try {
    const auto message = wire::parse_control(bytes);
    expect(wire::parse_control(wire::encode(message)) == message, "a control message changed");
    wire::to_string(message.body);
    wire::parse_address(message.to);
  } catch (const wire::ProtocolError&) {
  }
}

void flow(std::string_view bytes) {
  try {
    const auto parsed = wire::parse_flow(bytes);
    if (!parsed) return;
    expect(parsed->length <= bytes.size(), "a flow's head is longer than what it was read from");
    const auto again = wire::parse_flow(wire::encode(parsed->head));
    expect(again && again->head == parsed->head, "a flow's head changed");
    const auto onward = wire::forward_annotations(bytes, "c9");
    expect(onward && onward->annotations == parsed->head.annotations, "a flow can be read, but not passed on");
  } catch (const wire::ProtocolError&) {
  }
}

void properties(std::string_view bytes) {
  try {
    const auto open = wire::parse_properties(wire::decode(bytes));
    wire::refusal(open, "c0");
  } catch (const wire::ProtocolError&) {
  }
}

/// Whatever a neighbour says, time goes on and what we say can be read.
void engine(std::string_view bytes) {
  using namespace std::chrono_literals;
  routing::Settings settings;
  settings.id = "c0";
  settings.instance = 1;
  routing::Engine engine(settings);
  engine.add_consumer("Msvc1:8080");
  engine.link_up(1, 1);
  engine.link_up(2, 1);
  routing::Clock::time_point now{1h};
  const auto hello = [&](routing::LinkId link, const char* id) {
    engine.receive(link,
                   wire::encode(wire::ControlMessage{wire::originate(id), std::string(wire::kHelloAddress),
                                                     wire::Hello{id, 1, 1, {"c0"}}}),
                   now);
  };
  hello(1, "c1");
  hello(2, "c2");
  engine.poll(now);
  engine.receive(1, bytes, now);
  for (int i = 0; i < 8; ++i) {
    for (const auto& transmission : engine.poll(now).transmissions) wire::parse_message(transmission.message);
    const auto next = engine.next_poll();
    expect(next > now, "the engine doesn't let time go on");
    if (next == routing::Clock::time_point::max()) break;
    now = next;
  }
}

void config(std::string_view bytes) {
  try {
    parse_config(std::string(bytes), "fuzzed.json");
  } catch (const InputError&) {
  }
  try {
    parse_config(std::string(bytes), "fuzzed.conf");
  } catch (const InputError&) {
  }
}

std::string message(wire::ControlBody body, std::string_view to) {
  return wire::encode(wire::ControlMessage{wire::originate("c1"), std::string(to), std::move(body)});
}

std::vector<std::string> control_seeds() {
  const auto addresses = wire::mobile_address("c0");
  const auto router = wire::router_address("c0");
  return {
      message(wire::Hello{"c1", 1, 2, {"c0", "c2"}}, wire::kHelloAddress),
      message(wire::RouterAdvertisement{"c1", 1, 2, 3, 4}, wire::kAllRouters),
      message(wire::LinkStateRequest{"c1"}, router),
      message(wire::LinkStateUpdate{"c1", 1, 2, 3, {"c1", 3, {{"c0", 1}, {"c3", 200}}}}, router),
      message(wire::MobileAddressRequest{"c1", 2, 0}, addresses),
      message(wire::MobileAddressUpdate{"c1", 2, 1, wire::AbsoluteAddresses{{{"Ma", 3, 0}, {"Mb", 2, 1}}}}, addresses),
      message(wire::MobileAddressUpdate{"c1", 2, 1, wire::AddressChanges{{{"Ma", 3, 0}}, {"Mb"}}}, wire::kAllMobile),
      message(wire::LinkStateRequest{"c1"}, wire::router_address("c2"))};
}

std::vector<std::string> property_seeds() {
  auto open = wire::router_open("c1", 300);
  open.data = true;
  open.cost = 5;
  open.group_correlator = "qZ29QjFTG40uE0i";
  open.access_id = "MMu2W:1";
  return {wire::encode(wire::properties(open))};
}

}  // namespace

const std::map<std::string, Target>& targets() {
  static const std::map<std::string, Target> all{
      {"value", value},   {"control", control},          {"flow", flow}, {"properties", properties}, {"engine", engine},
      {"config", config}, {"message", message_on_a_link}};
  return all;
}

std::vector<std::string> seeds(const std::string& target) {
  if (target == "control" || target == "engine") return control_seeds();
  if (target == "flow")
    return {wire::encode(wire::flow_request("c1", "svc1:8080", "amqp:/_topo/0/c1/temp.x", "PqkwA:5")) + "GET /",
            wire::encode(wire::flow_reply("c1", "amqp:/_topo/0/c0/temp.x"))};
  if (target == "message") return message_seeds();
  if (target == "config")
    return {
        R"([["router",{"id":"c0","mode":"interior","helloMaxAgeSeconds":"3"}],)"
        R"(["listener",{"name":"l","role":"inter-router","host":"0.0.0.0","port":55671}],)"
        R"(["tcpConnector",{"name":"s","host":"127.0.0.1","port":"8080","address":"svc1:8080","siteId":"c0"}]])",
        "router {\n mode: interior # x\n id: a\n}\nlistener {\n port: amqp\n openProperties: {\n \"a\": 1\n }\n}\n"};
  auto all = property_seeds();
  if (target == "value") {
    for (auto& seed : control_seeds()) all.push_back(wire::encode(wire::Binary{std::move(seed)}));
    all.push_back(wire::encode(wire::Array{{wire::Symbol{"a"}, wire::Symbol{"b"}}}));
    all.push_back(wire::encode(wire::described(0x77, wire::List{1.5, U'x', wire::Timestamp{7}, wire::Uuid{}})));
  }
  return all;
}

}  // namespace knetsim::skupper::fuzz
