#include "knetsim/etcd/client.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "answer.h"
#include "client_impl.h"
#include "knetsim/sys/text.h"
#include "wire.h"

namespace knetsim::etcd {

using boost::beast::http::verb;
using nlohmann::json;
using Retry = Call::Retry;

Client::Client(boost::asio::any_io_executor executor, ClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options))) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

const ClientOptions& Client::options() const noexcept { return impl_->options(); }

Watcher Client::watch(std::string prefix, Revision from) {
  WatchOptions options;
  options.prefix = std::move(prefix);
  options.from = from;
  return Watcher(impl_->executor(), impl_->options(), std::move(options));
}

awaitable<std::optional<KeyValue>> Client::get(std::string key) {
  return impl_->call("/v3/kv/range", wire::range_request(key, false), Retry::unavailable,
                     [key](const JsonPlace& answer) -> std::optional<KeyValue> {
                       wire::header_revision(answer);
                       auto kvs = wire::key_values(answer, key, false);
                       if (kvs.empty()) return std::nullopt;
                       return std::move(kvs.front());
                     });
}

awaitable<Listing> Client::list(std::string prefix) {
  return impl_->call("/v3/kv/range", wire::range_request(prefix, true), Retry::unavailable,
                     [prefix](const JsonPlace& answer) {
                       Listing listing;
                       listing.revision = wire::header_revision(answer);
                       listing.kvs = wire::key_values(answer, prefix, true);
                       return listing;
                     });
}

awaitable<Revision> Client::put(std::string key, std::string value, LeaseId lease) {
  return impl_->call("/v3/kv/put", wire::put_request({std::move(key), std::move(value), lease}), Retry::never,
                     wire::header_revision);
}

awaitable<Revision> Client::remove(std::string key) {
  return impl_->call("/v3/kv/deleterange", wire::remove_request(key, false), Retry::never, wire::header_revision);
}

awaitable<Revision> Client::remove_prefix(std::string prefix) {
  return impl_->call("/v3/kv/deleterange", wire::remove_request(prefix, true), Retry::never, wire::header_revision);
}

awaitable<TxnResult> Client::txn(Txn txn) {
  auto request = wire::txn_request(txn);
  return impl_->call("/v3/kv/txn", std::move(request), Retry::never,
                     [txn = std::move(txn)](const JsonPlace& answer) { return wire::txn_result(answer, txn); });
}

awaitable<Lease> Client::grant(std::chrono::seconds ttl) {
  return impl_->call("/v3/lease/grant", wire::grant_request(ttl), Retry::never, wire::granted_lease);
}

awaitable<std::chrono::seconds> Client::keep_alive(LeaseId id) {
  // A stream in gRPC; the gateway answers the one request with one message. Renewing twice is as good as once.
  return impl_->call("/v3/lease/keepalive", wire::lease_request(id), Retry::unavailable, [](const JsonPlace& answer) {
    const auto result = answer["result"];
    wire::header_revision(result);
    return std::max(wire::ttl_at(result), std::chrono::seconds(0));
  });
}

awaitable<std::optional<LeaseState>> Client::time_to_live(LeaseId id) {
  return impl_->call("/v3/lease/timetolive", wire::time_to_live_request(id), Retry::unavailable,
                     [](const JsonPlace& answer) -> std::optional<LeaseState> {
                       LeaseState state;
                       wire::header_revision(answer);
                       state.remaining = wire::ttl_at(answer);
                       if (state.remaining.count() < 0) return std::nullopt;
                       state.granted = std::chrono::seconds(wire::int64_at(answer, "grantedTTL"));
                       state.keys = answer.each("keys", wire::bytes);
                       return state;
                     });
}

awaitable<void> Client::revoke(LeaseId id) {
  try {
    // A lease that is revoked twice is revoked: an answer that got lost may be asked for again.
    co_await impl_->call("/v3/lease/revoke", wire::lease_request(id), Retry::unavailable, wire::header_revision);
  } catch (const Error& error) {
    if (error.code() != Error::Code::not_found) throw;
  }
}

awaitable<void> Client::compact(Revision revision) {
  bool was_done = false;
  std::string answer;
  try {
    co_await impl_->call("/v3/kv/compaction", wire::compact_request(revision), Retry::never, wire::header_revision);
  } catch (const Error& error) {
    answer = error.what();
    was_done = error.code() == Error::Code::out_of_range && answer.find("has been compacted") != std::string::npos;
    if (!was_done) throw;
  }
  if (was_done) throw Compacted(revision, diagnose("etcd", "/v3/kv/compaction", answer));
}

awaitable<Status> Client::status() {
  return impl_->call("/v3/maintenance/status", json::object(), Retry::unavailable, [](const JsonPlace& answer) {
    Status status;
    status.version = wire::string_at(answer, "version");
    status.member = wire::uint64_at(answer["header"], "member_id");
    status.leader = wire::uint64_at(answer, "leader");
    status.raft_term = wire::uint64_at(answer, "raftTerm");
    status.revision = wire::header_revision(answer);
    status.db_size = wire::int64_at(answer, "dbSize");
    return status;
  });
}

awaitable<std::vector<MemberInfo>> Client::members() {
  return impl_->call("/v3/cluster/member/list", json::object(), Retry::unavailable, [](const JsonPlace& answer) {
    return answer.each("members", [](const JsonPlace& each) {
      MemberInfo member;
      member.id = wire::uint64_at(each, "ID");
      member.name = wire::string_at(each, "name");
      member.peer_urls = each.each("peerURLs", &JsonPlace::string);
      member.client_urls = each.each("clientURLs", &JsonPlace::string);
      return member;
    });
  });
}

awaitable<std::optional<std::string>> Client::health() {
  Call question;
  question.verb = verb::get;
  question.target = "/health";
  question.content_type.clear();
  question.retry = Retry::lost_answer;
  const Answer answer = co_await impl_->send(std::move(question));
  // {"health":"true"}, the truth value as a string; with HTTP 503 if it is "false".
  try {
    const auto body = wire::parse(answer.body);
    if (wire::string_at(JsonPlace(body), "health") == "true") co_return std::nullopt;
  } catch (const InputError&) {
    // Not etcd's form: reported as it stands.
  }
  co_return answer.endpoint + "/health: HTTP " + std::to_string(answer.status) + ": " + excerpt(answer.body);
}

}  // namespace knetsim::etcd
