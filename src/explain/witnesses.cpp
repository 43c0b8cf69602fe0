#include "witnesses.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "judge.h"
#include "knetsim/nft/batch.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/side_by_side.h"

namespace knetsim::explain {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint32_t kSnap = 2048;
constexpr std::size_t kMostFrames = 50'000;
constexpr milliseconds kSettled{4};  // after the fate is known: what was on its way is read
constexpr int kEarly = -350;         // before connection tracking and all of nft's own names for priorities
constexpr int kLate = INT_MAX - 8;

// The end of each socket, and each change of a ruleset, waits for the kernel's grace period: all of them together for
// one.
constexpr std::size_t kHands = 16;

using nft::th::word;

nft::Data word_of(std::uint32_t number) {
  return nft::word(static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
                   static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number));
}

std::uint32_t ip_header(bool v6) { return v6 ? 40 : 20; }

/// Matches of the packets that belong to the probes, each of which is a rule. `at` is how far behind the transport
/// header the packet's own begins: 0, or behind what VXLAN puts before it.
void add_matches(std::vector<std::vector<nft::Statement>>& all, Protocol protocol, bool v6, std::uint32_t nonce,
                 std::uint32_t at, const std::vector<nft::Statement>& before) {
  const auto with = [&](std::vector<nft::Statement> more) {
    auto match = before;
    match.insert(match.end(), more.begin(), more.end());
    all.push_back(std::move(match));
  };
  if (protocol == Protocol::tcp)
    with({nft::any_bits(word(at + 12), nft::word(0, 0x06, 0, 0))});  // SYN or RST
  else
    with({word(at + 8) == word_of(nonce)});
  // What ICMP quotes: behind its own header, the IP header, and that of UDP or ICMP.
  if (protocol != Protocol::tcp && at == 0) with({word(8 + ip_header(v6) + 8) == word_of(nonce)});
}

nft::L4Proto l4_of(Protocol protocol, bool v6) {
  if (protocol == Protocol::tcp) return nft::L4Proto::tcp;
  if (protocol == Protocol::udp) return nft::L4Proto::udp;
  return v6 ? nft::L4Proto::icmpv6 : nft::L4Proto::icmp;
}

std::vector<std::vector<nft::Statement>> matches_of(Protocol protocol, bool v6, std::uint32_t nonce,
                                                    const std::vector<std::uint16_t>& vxlan_ports) {
  std::vector<std::vector<nft::Statement>> all;
  add_matches(all, protocol, v6, nonce, 0, {nft::meta::l4proto() == l4_of(protocol, v6)});
  // For the long echo.
  if (protocol == Protocol::tcp)
    add_matches(all, Protocol::icmp, v6, nonce, 0, {nft::meta::l4proto() == l4_of(Protocol::icmp, v6)});
  if (protocol != Protocol::icmp) {
    // ICMP errors are few: all are listened to, and told apart by what they quote.
    const auto icmp = v6 ? nft::L4Proto::icmpv6 : nft::L4Proto::icmp;
    if (protocol == Protocol::udp)
      all.push_back({nft::meta::l4proto() == icmp, word(8 + ip_header(v6) + 8) == word_of(nonce)});
    else
      all.push_back({nft::meta::l4proto() == icmp, word(8 + ip_header(v6)) != word_of(0)});
  }
  for (const auto port : vxlan_ports) {
    constexpr std::uint32_t kBefore = 8 + 8 + 14;  // UDP, VXLAN, Ethernet
    std::vector<nft::Statement> before{nft::udp::dport() == nft::Data::port(port)};
    add_matches(all, protocol, v6, nonce, kBefore + ip_header(v6), before);
    if (protocol == Protocol::tcp) add_matches(all, Protocol::icmp, v6, nonce, kBefore + ip_header(v6), before);
  }
  return all;
}

nft::Batch tracing(const nft::TableId& table, const std::vector<std::vector<nft::Statement>>& matches) {
  nft::Batch batch;
  batch.add(nft::Table{.id = table, .comment = "knetsim explain looks at a probe"});
  const auto base = [&](const char* name, nft::HookPoint point, int priority) {
    nft::ChainId id{table, name};
    batch.add(nft::Chain{.id = id, .hook = nft::Hook{.point = point, .priority = priority}});
    return id;
  };
  for (const auto& chain :
       {base("prerouting", nft::HookPoint::prerouting, kEarly), base("output", nft::HookPoint::output, kEarly)})
    for (const auto& match : matches) {
      auto statements = match;
      statements.push_back(nft::set_nftrace());
      batch.add(nft::Rule{.chain = chain, .statements = std::move(statements)});
    }
  // That a packet got to the end of a hook is told by a chain without rules.
  base("prerouting-late", nft::HookPoint::prerouting, kLate);
  base("input-late", nft::HookPoint::input, kLate);
  base("forward-late", nft::HookPoint::forward, kLate);
  base("output-late", nft::HookPoint::output, kLate);
  base("postrouting-late", nft::HookPoint::postrouting, kLate);
  return batch;
}

}  // namespace

/// What watches one namespace.
struct Witnesses::Post {
  Place place;
  nft::TableId table;
  std::optional<PacketSocket> socket = {};
  std::optional<nft::TraceMonitor> monitor = {};
  bool traces = false;
  std::string packets_missing = {};
  std::string rules_missing = {};
  std::map<int, netlink::Link> links = {};
  std::map<int, std::string> peers = {};                                      // by index: the place at the other end
  std::vector<std::pair<nft::TableId, std::vector<nft::Chain>>> chains = {};  // of tables that packets came to
  std::map<std::uint32_t, std::size_t> open = {};                             // by id: the passage that goes on

  std::string link_name(int index) const {
    if (index == 0) return {};
    const auto found = links.find(index);
    if (found != links.end()) return found->second.name;
    return socket ? socket->interface_name(index) : fmt::format("#{}", index);
  }

  std::string peer_of(int index) const {
    const auto found = peers.find(index);
    return found == peers.end() ? std::string() : found->second;
  }

  Post() = default;
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;
  ~Post() {
    stop_capture();
    stop_tracing();
  }

  // What was added goes. Each waits for a grace period of its own: they may be told side by side.
  void stop_capture() noexcept { socket.reset(); }
  void stop_tracing() noexcept {
    monitor.reset();
    if (!std::exchange(traces, false)) return;
    try {
      nft::Batch batch;
      batch.ensure_absent(table);
      batch.commit(*place.netns);
    } catch (const std::exception&) {
      // The namespace goes, or somebody has emptied its ruleset: either way the table has gone.
    }
  }

  std::optional<nft::Hook> hook_of(const nft::ChainId& chain) {
    auto known = std::find_if(chains.begin(), chains.end(), [&](const auto& one) { return one.first == chain.table; });
    if (known == chains.end()) {
      std::vector<nft::Chain> listed;
      try {
        listed = nft::list_chains(*place.netns, chain.table);
      } catch (const nft::Error&) {
        // It has gone meanwhile.
      }
      chains.emplace_back(chain.table, std::move(listed));
      known = chains.end() - 1;
    }
    for (const auto& one : known->second)
      if (one.id == chain) return one.hook;
    return std::nullopt;
  }
};

Witnesses::Witnesses(const std::vector<Place>& places, Protocol protocol, bool v6, std::uint32_t nonce,
                     std::vector<std::uint16_t> vxlan_ports, Tampering tampering)
    : protocol_(protocol),
      v6_(v6),
      nonce_(nonce),
      vxlan_ports_(std::move(vxlan_ports)),
      tampering_(std::move(tampering)) {
  add(places);
}

void Witnesses::add(const std::vector<Place>& places) {
  std::vector<std::unique_ptr<Post>> made(places.size());
  side_by_side(places.size(), kHands, [&](std::size_t i) { made[i] = man(places[i]); });
  for (auto& post : made) {
    if (!post->packets_missing.empty()) packets_missing_ = post->packets_missing;
    if (!post->rules_missing.empty()) rules_missing_ = post->rules_missing;
    posts_.push_back(std::move(post));
  }
  find_peers();
}

std::unique_ptr<Witnesses::Post> Witnesses::man(const Place& place) const {
  auto made = std::make_unique<Post>();
  made->place = place;
  made->table = {nft::Family::inet, fmt::format("knetsim-explain-{:08x}", nonce_)};
  netlink::Socket socket(*place.netns, place.name);
  for (auto& link : netlink::list_links(socket)) {
    const auto index = link.index;
    made->links.emplace(index, std::move(link));
  }
  try {
    made->socket.emplace(*place.netns, "", kSnap);
  } catch (const SystemError& error) {
    made->packets_missing = error.what();
  }
  // Switches bridge: no rule of IP sees what they carry.
  if (place.name == kWires) return made;
  try {
    made->monitor.emplace(*place.netns);
    auto batch = tracing(made->table, matches_of(protocol_, v6_, nonce_, vxlan_ports_));
    made->traces = true;
    batch.commit(*place.netns);
  } catch (const SystemError& error) {
    made->rules_missing = error.what();
  }
  return made;
}

void Witnesses::find_peers() {
  AllFacts links;
  for (const auto& post : posts_)
    for (const auto& [index, link] : post->links) links[post->place.name].links.push_back(link);
  for (const auto& post : posts_)
    for (const auto& [index, link] : post->links)
      if (const auto peer = explain::peer_of(post->place.name, link, links)) post->peers[index] = peer->place;
}

Witnesses::~Witnesses() {
  try {
    side_by_side(2 * posts_.size(), kHands, [&](std::size_t i) {
      auto& post = *posts_[i / 2];
      i % 2 == 0 ? post.stop_capture() : post.stop_tracing();
    });
  } catch (const std::exception&) {
    // There are no threads to be had: each of them goes when its turn to end comes.
  }
}

std::vector<std::string> Witnesses::absent() const {
  std::vector<std::string> all;
  if (!sees_packets()) all.push_back("capture: " + packets_missing_);
  if (!hears_rules()) all.push_back("nftrace: " + rules_missing_);
  return all;
}

bool Witnesses::lost_some() {
  bool lost = false;
  for (const auto& post : posts_)
    lost = lost || (post->socket && post->socket->dropped() > 0) || (post->monitor && post->monitor->lost_some());
  return lost;
}

void Witnesses::read_frames(Post& post, Attempt& attempt) {
  while (post.socket && attempt.sightings.size() < kMostFrames) {
    const auto received = post.socket->receive();
    if (!received) return;
    if (tampering_.deaf_sockets) continue;
    auto frame = decode_frame(received->bytes, vxlan_ports_);
    if (!frame || (frame->packet.protocol != protocol_ && frame->packet.protocol != Protocol::icmp)) continue;
    const auto link = post.links.find(received->interface);
    // Between two switches.
    if (post.place.name == kWires && link != post.links.end() && !link->second.parent_netns) continue;
    // What a bridge passes on is always for somebody else.
    const bool on_bridge = link != post.links.end() && link->second.master != 0;
    const auto direction = received->kind == PACKET_OUTGOING                  ? Sighting::Direction::out
                           : received->kind == PACKET_OTHERHOST && !on_bridge ? Sighting::Direction::other
                                                                              : Sighting::Direction::in;
    attempt.sightings.push_back({.place = post.place.name,
                                 .link = post.link_name(received->interface),
                                 .direction = direction,
                                 .time = received->time,
                                 .frame = std::move(*frame),
                                 .port = on_bridge,
                                 .peer = post.peer_of(received->interface)});
  }
}

void Witnesses::read_events(Post& post, Attempt& attempt) {
  if (!post.monitor) return;
  for (const auto& event : post.monitor->read()) {
    if (tampering_.deaf_trace) continue;
    if (!event.network.empty()) {
      const auto packet = decode_packet(packet::Bytes(event.network), packet::Bytes(event.transport));
      post.open.erase(event.id);
      if (!packet) continue;
      const bool ours = event.chain.table == post.table;
      const auto hook = post.hook_of(event.chain);
      Passage passage{.place = post.place.name,
                      .chain = event.chain,
                      .hook = hook             ? hook->point
                              : event.out == 0 ? nft::HookPoint::input
                              : event.in == 0  ? nft::HookPoint::output
                                               : nft::HookPoint::forward,
                      .priority = hook ? hook->priority : 0,
                      .ours = ours,
                      .in = post.link_name(event.in),
                      .out = post.link_name(event.out),
                      .packet = *packet};
      post.open[event.id] = attempt.passages.size();
      attempt.passages.push_back(std::move(passage));
    }
    const auto found = post.open.find(event.id);
    if (found == post.open.end() || found->second >= attempt.passages.size()) continue;
    attempt.passages[found->second].steps.push_back(
        {.kind = event.kind, .chain = event.chain, .handle = event.handle, .verdict = event.verdict});
  }
}

Attempt Witnesses::watch(Probe& probe, const std::string& source, milliseconds quiet, milliseconds longest,
                         const std::function<bool()>& stop) {
  Attempt attempt{.protocol = probe.protocol(),
                  .nonce = probe.nonce(),
                  .source = source,
                  .sent = probe.sent(),
                  .length = probe.length(),
                  .vxlan_ports = vxlan_ports_};
  std::vector<pollfd> events{{probe.fd().get(), probe.events(), 0}};
  for (const auto& post : posts_) {
    if (post->socket) events.push_back({post->socket->fd().get(), POLLIN, 0});
    if (post->monitor) events.push_back({post->monitor->fd().get(), POLLIN, 0});
  }
  const auto begin = steady_clock::now();
  auto last_news = begin;
  const auto arrived = [&] {
    return attempt.protocol == Protocol::udp &&
           std::any_of(attempt.passages.begin(), attempt.passages.end(), [&](const Passage& one) {
             return one.ours && one.hook == nft::HookPoint::input && one.priority > 0 &&
                    one.packet.nonce == attempt.nonce;
           });
  };
  // What a rule dropped isn't waited for.
  const auto dropped = [&] {
    return std::any_of(attempt.passages.begin(), attempt.passages.end(), [&](const Passage& one) {
      if (one.dropped_by() == nullptr || one.packet.protocol != attempt.protocol) return false;
      return attempt.protocol == Protocol::tcp ? one.packet.ends.source_port == attempt.sent.source_port
                                               : one.packet.nonce == attempt.nonce;
    });
  };
  for (;;) {
    const auto sightings = attempt.sightings.size();
    const auto passages = attempt.passages.size();
    for (const auto& post : posts_) {
      read_frames(*post, attempt);
      read_events(*post, attempt);
    }
    const auto now = steady_clock::now();
    const bool was_silent = attempt.outcome.kind == Outcome::Kind::silent;
    attempt.outcome = probe.look();
    const bool silent = attempt.outcome.kind == Outcome::Kind::silent;
    if (attempt.sightings.size() != sightings || attempt.passages.size() != passages || silent != was_silent)
      last_news = now;
    const auto patience = silent && !arrived() && !dropped() ? quiet : kSettled;
    const auto left = std::min(last_news + patience, begin + longest) - now;
    if (left.count() <= 0 || stop()) break;
    events.front().fd = silent ? probe.fd().get() : -1;
    ::poll(events.data(), events.size(), static_cast<int>(std::chrono::ceil<milliseconds>(left).count()));
  }
  std::stable_sort(attempt.sightings.begin(), attempt.sightings.end(),
                   [](const Sighting& a, const Sighting& b) { return a.time < b.time; });
  if (tampering_.passage)
    for (auto& passage : attempt.passages) tampering_.passage(passage);
  for (const auto& post : posts_) post->open.clear();
  return attempt;
}

}  // namespace knetsim::explain
