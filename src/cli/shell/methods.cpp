#include "methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>

#include "knetsim/sys/text.h"
#include "lookup.h"
#include "programs.h"
#include "text.h"

namespace knetsim::cli::shell {

namespace {

const std::string& text_of(const Value& value, const std::string& what) {
  if (const auto* text = std::get_if<std::string>(&value.content)) return *text;
  throw LineError(value.span, "expected " + what + " as a text in quotes");
}

/// A text as a word of its own, for errors that point at it.
Word word_of(const Value& value, const std::string& what) { return {text_of(value, what), value.span}; }

/// "w1" of C0.get("w1") is C0w1 if there is one; net.get("C0w1") is Mininet's.
Word object_of(Session& session, const Call& call) {
  if (!call.within || call.within->text == "net") return call.object;
  find_cluster(session, *call.within);
  const auto full = call.within->text + call.object.text;
  return {session.emulation.find(full) != nullptr ? full : call.object.text, call.object.span};
}

Container& container_of(Session& session, const Call& call) {
  const auto& worker = find_worker(session, object_of(session, call));
  const auto name = word_of(call.arguments[0], "a container's name");
  return find_container(session, {worker.name() + "/" + name.text, name.span});
}

int exec_container(Session& session, const Call& call) {
  auto& container = container_of(session, call);
  return run_text(session, &container, text_of(call.arguments[1], "a command"), call.arguments[1].span);
}

int exec_container_async(Session& session, const Call& call) {
  auto& container = container_of(session, call);
  return start_text(session, container, text_of(call.arguments[1], "a command"), call.arguments[1].span);
}

int create_container(Session& session, const Call& call) {
  create_container_on(session, find_worker(session, object_of(session, call)),
                      word_of(call.arguments[0], "a container's name"));
  return kDone;
}

int delete_container(Session& session, const Call& call) {
  delete_container(session, container_of(session, call));
  return kDone;
}

int kp_vip_add(Session& session, const Call& call) {
  auto& cluster = find_cluster(session, call.object);
  const auto* list = std::get_if<std::vector<Value>>(&call.arguments[1].content);
  if (list == nullptr) throw LineError(call.arguments[1].span, "expected a list of containers, as [\"c2\", \"c3\"]");
  std::vector<std::string> containers;
  for (const auto& one : *list) containers.push_back(text_of(one, "a container's name"));
  cluster.vips().add(text_of(call.arguments[0], "an address"), containers);
  return kDone;
}

int kp_vip_delete(Session& session, const Call& call) {
  find_cluster(session, call.object).vips().remove(text_of(call.arguments[0], "an address"));
  return kDone;
}

std::uint16_t port_of(const Value& value) {
  const auto* number = std::get_if<long>(&value.content);
  if (number == nullptr || *number < 1 || *number > 65'535) throw LineError(value.span, "expected a port, 1 to 65535");
  return static_cast<std::uint16_t>(*number);
}

int expose(Session& session, const Call& call) {
  const auto& arguments = call.arguments;
  session.emulation.service_network().expose(find_cluster(session, call.object),
                                             {.name = text_of(arguments[2], "the service's name"),
                                              .container = text_of(arguments[0], "a container's name"),
                                              .port = port_of(arguments[1]),
                                              .listen_port = port_of(arguments[3])});
  return kDone;
}

int cmd(Session& session, const Call& call) {
  auto& node = find_node(session, object_of(session, call));
  return run_text(session, &node, text_of(call.arguments[0], "a command"), call.arguments[0].span);
}

int get(Session& session, const Call& call) {
  auto named = call;
  named.within = call.object;
  named.object = word_of(call.arguments[0], "a node's name");
  const auto& node = find_node(session, object_of(session, named));
  session.terminal.out << fmt::format("{}  {}\n", node.name(), node.address().to_string());
  return kDone;
}

int address(Session& session, const Call& call) {
  session.terminal.out << find_node(session, object_of(session, call)).address().to_string() << '\n';
  return kDone;
}

struct Method {
  std::string_view name;
  std::string_view example;
  std::size_t arguments;
  int (*run)(Session&, const Call&);
};

constexpr std::array<Method, 10> kMethods{{
    {"exec_container", R"(C0w1.exec_container("c1", "ping -c 1 10.0.0.4"))", 2, exec_container},
    {"exec_container_async", R"(C0w2.exec_container_async("c2", "python3 -m http.server 80"))", 2,
     exec_container_async},
    {"create_container", R"(C0w1.create_container("c5"))", 1, create_container},
    {"delete_container", R"(C0w1.delete_container("c5"))", 1, delete_container},
    {"kp_vip_add", R"(C0.kp_vip_add("100.64.10.3", ["c2", "c3"]))", 2, kp_vip_add},
    {"kp_vip_delete", R"(C0.kp_vip_delete("100.64.10.3"))", 1, kp_vip_delete},
    {"expose", R"(C0.expose("c4", 80, "svc3", 1030))", 4, expose},
    {"cmd", R"(C0w1.cmd("ip route"))", 1, cmd},
    {"IP", "C0w1.IP()", 0, address},
    {"get", R"(C0.get("w1"))", 1, get},
}};

}  // namespace

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const auto& method : kMethods) names.emplace_back(method.name);
  return names;
}

bool takes_arguments(const std::string& name) {
  return std::any_of(kMethods.begin(), kMethods.end(),
                     [&](const Method& method) { return method.name == name && method.arguments > 0; });
}

std::vector<std::string_view> method_examples() {
  std::vector<std::string_view> examples;
  for (const auto& method : kMethods) examples.push_back(method.example);
  return examples;
}

int run_call(Session& session, const Call& call) {
  const auto method =
      std::find_if(kMethods.begin(), kMethods.end(), [&](const Method& one) { return one.name == call.method.text; });
  if (method == kMethods.end())
    throw LineError(call.method.span,
                    fmt::format("there is no method {}{}", excerpt(call.method.text),
                                did_you_mean(call.method.text, method_names())),
                    "one of " + join(method_names(), ", "));
  if (call.arguments.size() != method->arguments)
    throw LineError({call.method.span.end, call.span.end},
                    fmt::format("{} takes {}, and {} given", method->name, count_of(method->arguments, "argument"),
                                call.arguments.size() == 1 ? "1 is" : fmt::format("{} are", call.arguments.size())),
                    fmt::format("as: {}", method->example));
  return method->run(session, call);
}

}  // namespace knetsim::cli::shell
