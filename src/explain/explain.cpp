#include "knetsim/explain/explain.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "dry.h"
#include "investigation.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"
#include "services.h"

namespace knetsim::explain {

namespace {

std::vector<std::string> all_names(Emulation& emulation) {
  std::vector<std::string> names;
  for (const auto* node : emulation.nodes()) names.push_back(node->name());
  return names;
}

[[noreturn]] void unknown_name(Emulation& emulation, std::string_view name) {
  const auto names = all_names(emulation);
  const auto near = nearest(name, names);
  throw InputError(fmt::format("there is no node, container or address {}{}\n  remedy: nodes lists what there is",
                               excerpt(name), near.empty() ? "" : fmt::format("; did you mean {}?", near)));
}

std::optional<Protocol> protocol_named(std::string_view name) {
  for (const auto protocol : {Protocol::icmp, Protocol::tcp, Protocol::udp})
    if (name_of(protocol) == name) return protocol;
  return std::nullopt;
}

std::uint16_t port_of_text(std::string_view text) {
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stop != end || port == 0)
    throw InputError(fmt::format("{} isn't a port\n  remedy: 1 to 65535, as C0w2/c2:80", excerpt(text)));
  return port;
}

/// Which of a Service's ports is meant: by number, which it needn't have, by name, or the only one.
std::pair<Protocol, std::uint16_t> port_of_service(const KnownService& service, std::optional<Protocol> protocol,
                                                   std::optional<std::string_view> port, std::string_view to) {
  std::vector<KnownService::Port> meant;
  std::string all;
  const bool by_number = port && !port->empty() && port->find_first_not_of("0123456789") == std::string_view::npos;
  for (const auto& one : service.ports) {
    all += fmt::format("{}{}{}/{}", all.empty() ? "" : ", ", one.port, one.name.empty() ? "" : ":" + one.name,
                       name_of(one.protocol));
    const bool named = !port || (by_number ? fmt::format("{}", one.port) == *port : one.name == *port);
    if (named && (!protocol || *protocol == one.protocol)) meant.push_back(one);
  }
  if (protocol == Protocol::icmp && !port) return {Protocol::icmp, 0};
  if (meant.size() == 1) return {meant.front().protocol, meant.front().port};
  if (by_number) return {protocol.value_or(Protocol::tcp), port_of_text(*port)};
  throw InputError(fmt::format("{}: which port of Service {}?\n  remedy: it has {}", excerpt(to), service.name,
                               all.empty() ? "none" : all));
}

}  // namespace

Question question_of(Emulation& emulation, std::string_view from, std::string_view to) {
  const auto* source = emulation.find(std::string(from));
  if (source == nullptr) unknown_name(emulation, from);
  Question question{.from = source->name(), .to = {}, .to_name = {}};
  auto rest = to;
  std::optional<Protocol> protocol;
  if (const auto slash = rest.rfind('/'); slash != std::string_view::npos)
    if ((protocol = protocol_named(rest.substr(slash + 1)))) rest = rest.substr(0, slash);
  std::optional<std::string_view> port;
  const auto colon = rest.rfind(':');
  const bool bracketed = rest.starts_with('[');
  if (colon != std::string_view::npos && (bracketed ? colon > rest.find(']') : rest.find(':') == colon)) {
    port = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  if (bracketed && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (auto* target = emulation.find(std::string(rest))) {
    question.to = target->address();
    question.to_name = target->name();
  } else if (const auto service = service_named(emulation, question.from, rest)) {
    question.to = service->addresses.front();
    question.to_name = "Service " + service->name;
    const auto one = port_of_service(*service, protocol, port, to);
    protocol = one.first;
    question.port = one.second;
  } else {
    boost::system::error_code error;
    question.to = boost::asio::ip::make_address(std::string(rest), error);
    if (error) unknown_name(emulation, rest);
    question.to_name = question.to.to_string();
  }
  if (question.port == 0 && port) question.port = port_of_text(*port);
  question.protocol = protocol.value_or(question.port != 0 ? Protocol::tcp : Protocol::icmp);
  if (question.protocol != Protocol::icmp && question.port == 0)
    throw InputError(
        fmt::format("{}: to which port?\n  remedy: as {}:80/{}", excerpt(to), rest, name_of(question.protocol)));
  if (question.protocol == Protocol::icmp && question.port != 0)
    throw InputError(fmt::format("{}: icmp has no ports\n  remedy: as {}", excerpt(to), rest));
  return question;
}

Explanation explain(Emulation& emulation, const Question& question, const Options& options) {
  if (emulation.find(question.from) == nullptr) unknown_name(emulation, question.from);
  if (options.dry) return look(emulation, question);
  return investigate(emulation, question, options, {});
}

}  // namespace knetsim::explain
