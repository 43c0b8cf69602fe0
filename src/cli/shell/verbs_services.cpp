// Verbs about services: virtual addresses, and what clusters offer to each other.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ostream>

#include "knetsim/sys/text.h"
#include "lookup.h"
#include "picture.h"
#include "text.h"
#include "verbs.h"

namespace knetsim::cli::shell {

namespace {

int services(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 0, 0);
  const auto text = services_text(session);
  session.terminal.out << (text.empty() ? "there is no service; vip add and expose make some\n" : text);
  return kDone;
}

bool is_address(const std::string& text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(text, error);
  return !error;
}

int vip(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 2, words.words.size());
  const auto& what = words.words[1];
  const bool add = what.text == "add";
  if (!add && what.text != "del")
    throw LineError(what.span, fmt::format("expected add or del{}", did_you_mean(what.text, {"add", "del"})));
  std::size_t at = 2;
  const auto clusters = session.emulation.clusters();
  auto& cluster = is_address(words.words[at].text) ? *clusters.at(0) : find_cluster(session, words.words[at++]);
  if (at == words.words.size()) throw LineError({words.end, words.end}, "expected a virtual address");
  const auto& address = words.words[at++];
  if (!is_address(address.text)) throw LineError(address.span, excerpt(address.text) + " isn't an address");
  if (!add) {
    if (at != words.words.size()) throw LineError(words.words[at].span, "nothing may follow here");
    cluster.vips().remove(address.text);
    return kDone;
  }
  if (at == words.words.size()) throw LineError({words.end, words.end}, "expected the containers that serve it");
  std::vector<std::string> containers;
  for (; at < words.words.size(); ++at) {
    const auto& name = words.words[at].text;
    containers.push_back(name.substr(name.rfind('/') + 1));  // "C0w2/c2" is c2
  }
  const auto before = containers_behind(cluster, parse_address(address.text));
  cluster.vips().add(address.text, containers);
  if (!before.empty() && before != containers)
    session.terminal.out << fmt::format("{} is served by {} now, not by {}\n", address.text, join(containers, ", "),
                                        join(before, ", "));
  return kDone;
}

std::uint16_t port_of(const Word& word) {
  std::uint16_t port = 0;
  const auto* end = word.text.data() + word.text.size();
  const auto [stop, error] = std::from_chars(word.text.data(), end, port);
  if (error != std::errc() || stop != end || port == 0)
    throw LineError(word.span, excerpt(word.text) + " isn't a port", "1 to 65535");
  return port;
}

int expose(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 4, 4);
  const auto& container = find_container(session, words.words[1]);
  const auto port = port_of(words.words[2]);
  const auto& name = words.words[3].text;
  const auto listen_port = port_of(words.words[4]);
  for (auto* cluster : session.emulation.clusters())
    for (const auto* one : cluster->containers())
      if (one == &container)
        session.emulation.service_network().expose(
            *cluster, {.name = name, .container = container.short_name(), .port = port, .listen_port = listen_port});
  return kDone;
}

int unexpose(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 2, 2);
  session.emulation.service_network().unexpose(find_cluster(session, words.words[1]), words.words[2].text);
  return kDone;
}

bool links_to(Session& session, const Cluster& from, const Cluster& to) {
  const auto* spec = session.emulation.service_network().spec(from);
  return spec != nullptr && std::any_of(spec->links.begin(), spec->links.end(),
                                        [&](const RouterLinkSpec& link) { return link.cluster == to.name(); });
}

int connect(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 2, 2);
  const auto& from = find_cluster(session, words.words[1]);
  const auto& to = find_cluster(session, words.words[2]);
  if (links_to(session, from, to) || links_to(session, to, from))
    session.terminal.out << fmt::format("{} and {} are connected already\n", from.name(), to.name());
  else
    session.emulation.service_network().link(from, to);
  return kDone;
}

}  // namespace

std::vector<Verb> service_verbs() {
  return {
      {"services", "virtual addresses, exposed services, and the containers behind them", {"services"}, {}, services},
      {"vip add|del [CLUSTER] ADDRESS [CONTAINER...]",
       "make or take away a virtual address",
       {"vip add C0 100.64.10.2 c2 c3", "C0w1/c1 ping -c 2 100.64.10.2", "vip del C0 100.64.10.2"},
       {Argument::state, Argument::cluster, Argument::vip, Argument::container},
       vip,
       "Every worker of the cluster translates the address to the containers in turn; an address that is there already "
       "is\n"
       "given to these. Without CLUSTER it is the first one. Workers route 100.64.0.0/16 in the demo."},
      {"expose CONTAINER PORT NAME LISTENPORT",
       "offer a container's TCP port to the other clusters",
       {"expose C0w3/c4 80 svc2 1029", "C1w2/c2 wget -qO /dev/null C1w1:1029"},
       {Argument::container},
       expose,
       "The first worker of every cluster that is connected with the container's offers it on LISTENPORT. Routers "
       "whose\n"
       "config changes are restarted."},
      {"unexpose CLUSTER NAME",
       "take an exposed service back",
       {"unexpose C0 svc2"},
       {Argument::cluster, Argument::service},
       unexpose},
      {"connect CLUSTER CLUSTER",
       "let the first cluster's router connect to the second's",
       {"connect C1 C0"},
       {Argument::cluster, Argument::cluster},
       connect,
       "Both get a router if they have none."},
  };
}

}  // namespace knetsim::cli::shell
