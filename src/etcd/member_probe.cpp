#include "member_probe.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "blocking.h"
#include "knetsim/sys/text.h"
#include "wire.h"

namespace knetsim::etcd {

namespace {

constexpr unsigned kNoContent = 204;

constexpr std::chrono::milliseconds kConnectTimeout{500};
constexpr std::chrono::milliseconds kPeerPatience{2'000};

std::string url(const Address& address, std::uint16_t port) {
  return Endpoint{address.to_string(), std::to_string(port)}.url();
}

ClientOptions options_for(const std::string& endpoint, std::chrono::milliseconds patience) {
  ClientOptions options;
  options.endpoints.push_back(endpoint);
  options.connect_timeout = kConnectTimeout;
  options.request_timeout = patience;
  return options;
}

// Protocol Buffers wire format: a field of type varint.
void append_varint_field(std::string& message, unsigned field, std::uint64_t value) {
  message += static_cast<char>(field << 3);
  for (; value >= 0x80; value >>= 7) message += static_cast<char>((value & 0x7f) | 0x80);
  message += static_cast<char>(value);
}

constexpr unsigned kTypeField = 1;
constexpr unsigned kToField = 2;
constexpr unsigned kFromField = 3;
constexpr std::uint64_t kMsgTimeoutNow = 14;

std::string timeout_now(std::uint64_t to, std::uint64_t from) {
  std::string message;
  append_varint_field(message, kTypeField, kMsgTimeoutNow);
  append_varint_field(message, kToField, to);
  append_varint_field(message, kFromField, from);
  return message;
}

// {"etcdserver":"3.4.23","etcdcluster":"3.4.0"}
std::string version_of(const Answer& answer) {
  if (answer.status != kOk) return {};
  const auto versions = wire::parse(answer.body);
  return wire::string_at(JsonPlace(versions), "etcdserver");
}

Call get(const std::string& target) {
  Call call;
  call.verb = boost::beast::http::verb::get;
  call.target = target;
  call.content_type.clear();
  call.retry = Call::Retry::lost_answer;
  return call;
}

}  // namespace

std::string client_url(const MemberSpec& spec) { return url(spec.address, kClientPort); }

std::string peer_url(const MemberSpec& spec) { return url(spec.address, kPeerPort); }

MemberProbe::MemberProbe(const MemberSpec& spec)
    : netns_(spec.netns),
      own_peer_url_(peer_url(spec)),
      peer_(context_.get_executor(), options_for(own_peer_url_, kPeerPatience)),
      client_url_(client_url(spec)) {}

std::optional<std::string> MemberProbe::client_ailment(std::chrono::milliseconds patience) {
  if (!client_ || client_->options().request_timeout != patience)
    client_.emplace(context_.get_executor(), options_for(client_url_, patience));
  try {
    if (auto ailment = block_on(context_, netns_, client_->health())) return ailment;
    block_on(context_, netns_, client_->get("health"));
    return std::nullopt;
  } catch (const knetsim::Error& error) {
    return error.what();
  }
}

Answer MemberProbe::ask_peer(Call call) { return block_on(context_, netns_, peer_.send(std::move(call))); }

std::optional<std::string> MemberProbe::peer_ailment() {
  try {
    const Answer answer = ask_peer(get("/members"));
    if (answer.status == kOk) return std::nullopt;
    return answer.endpoint + "/members: HTTP " + std::to_string(answer.status) + ": " + excerpt(answer.body);
  } catch (const knetsim::Error& error) {
    return error.what();
  }
}

bool takes_timeout_now(std::string_view version) { return version.starts_with("3.4.") || version.starts_with("3.5."); }

bool MemberProbe::prompt_election() {
  try {
    if (!takes_timeout_now(version_of(ask_peer(get("/version"))))) return false;
    const Answer roster = ask_peer(get("/members"));
    if (roster.status != kOk) return false;
    const JsonDocument members{.value = parse_json(roster.body)};
    std::uint64_t own = 0;
    std::uint64_t other = 0;
    for (const auto& member : JsonPlace(members).elements()) {
      const std::uint64_t id = wire::uint64_at(member, "id");
      const auto urls = member.each("peerURLs", &JsonPlace::string);
      const bool is_own = std::find(urls.begin(), urls.end(), own_peer_url_) != urls.end();
      (is_own ? own : other) = id;
    }
    if (own == 0) return false;

    // The pipeline endpoint of etcd's rafthttp.
    Call nudge;
    nudge.target = "/raft";
    nudge.body = timeout_now(own, other == 0 ? own : other);
    nudge.content_type = "application/protobuf";
    nudge.headers = {{"X-Etcd-Cluster-ID", std::string(roster.headers["X-Etcd-Cluster-ID"])},
                     {"X-Server-Version", "3.4.0"},
                     {"X-Min-Cluster-Version", "3.0.0"}};
    return ask_peer(std::move(nudge)).status == kNoContent;
  } catch (const knetsim::Error&) {
    return false;
  }
}

}  // namespace knetsim::etcd
