#include "knetsim/etcd/client.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "answer.h"
#include "auth.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"
#include "transport.h"
#include "wire.h"

namespace knetsim::etcd {

using boost::beast::http::verb;
using nlohmann::json;
using Retry = Call::Retry;

class Client::Impl : public Transport {
 public:
  using Transport::Transport;

  /// With the user's token, if there is a user; with another one if the server doesn't know the first any more.
  awaitable<Answer> send_as_user(Call call) {
    if (options().username.empty()) co_return co_await send(std::move(call));
    const bool had_one = !token_.empty();
    if (!had_one) token_ = co_await authenticate(*this);
    Call first = call;
    first.headers.emplace_back("Authorization", token_);
    Answer answer = co_await send(std::move(first));
    if (!had_one || !wants_another_token(answer)) co_return answer;
    token_ = co_await authenticate(*this);
    call.headers.emplace_back("Authorization", token_);
    co_return co_await send(std::move(call));
  }

  /// Posts `request` and lets `reader` make a value of the answer.
  template <typename Reader>
  awaitable<std::invoke_result_t<Reader, const JsonPlace&>> call(std::string target, nlohmann::json request,
                                                                 Call::Retry retry, Reader reader) {
    Call post;
    post.target = target;
    post.body = request.dump();
    post.retry = retry;
    const Answer answer = co_await send_as_user(std::move(post));
    const JsonDocument body = good_answer(answer, target);
    co_return read_answer(answer.endpoint, target, [&] { return reader(JsonPlace(body)); });
  }

 private:
  std::string token_;
};

namespace {

// The v2 store (etcd's Documentation/v2/api.md): keys are paths, values are sent as a form.

constexpr std::int64_t kKeyNotFound = 100;
constexpr unsigned kCreated = 201;

/// Percent-encodes all but RFC 3986's unreserved characters and those in `kept`.
std::string percent_encode(const std::string& text, const std::string& kept = {}) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  static constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos || kept.find(c) != std::string::npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += {'%', kHex[byte >> 4], kHex[byte & 0xf]};
    }
  }
  return encoded;
}

std::string target_of(const std::string& key) {
  return "/v2/keys" + std::string(key.starts_with('/') ? "" : "/") + percent_encode(key, "/");
}

[[noreturn]] void refuse(const Answer& answer, const std::string& target) {
  std::string text = "HTTP " + std::to_string(answer.status) + ": " + excerpt(answer.body);
  if (answer.status == 404) text += " (was etcd started with --enable-v2?)";
  throw Error(Error::Code::other, diagnose(answer.endpoint, target, text));
}

/// Has `read` take the answer's node apart, an empty one if it has none; what it returns for no such key is nothing.
template <typename Read>
auto read_node(const Answer& answer, const std::string& target, Read read) {
  return read_answer(answer.endpoint, target, [&] {
    JsonDocument body;
    try {
      body = wire::parse(answer.body);
    } catch (const InputError&) {
      refuse(answer, target);
    }
    const JsonPlace at(body);
    if (wire::int64_at(at, "errorCode") == kKeyNotFound) return decltype(read(at)){};
    if (answer.status != kOk) refuse(answer, target);
    return read(at["node"]);
  });
}

Call get_call(const std::string& key) {
  Call get;
  get.verb = verb::get;
  get.target = target_of(key);
  get.content_type.clear();
  get.retry = Call::Retry::unavailable;
  return get;
}

}  // namespace

Client::Client(boost::asio::any_io_executor executor, ClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options))) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

const ClientOptions& Client::options() const noexcept { return impl_->options(); }

Watcher Client::watch(std::string prefix, Revision from) {
  return Watcher(impl_->executor(), impl_->options(), {.prefix = std::move(prefix), .from = from});
}

awaitable<std::optional<KeyValue>> Client::get(std::string key) {
  return impl_->call("/v3/kv/range", wire::key_request(key, false), Retry::unavailable,
                     [key](const JsonPlace& answer) -> std::optional<KeyValue> {
                       wire::header_revision(answer);
                       auto kvs = wire::key_values(answer, key, false);
                       if (kvs.empty()) return std::nullopt;
                       return std::move(kvs.front());
                     });
}

awaitable<Listing> Client::list(std::string prefix) {
  return impl_->call("/v3/kv/range", wire::key_request(prefix, true), Retry::unavailable,
                     [prefix](const JsonPlace& answer) {
                       Listing listing;
                       listing.revision = wire::header_revision(answer);
                       listing.kvs = wire::key_values(answer, prefix, true);
                       return listing;
                     });
}

awaitable<Page> Client::page(std::string prefix, PageRequest request) {
  if (!request.after.empty() && !request.after.starts_with(prefix))
    throw InputError("etcd client: a page of " + excerpt(prefix) + " can't begin after " + excerpt(request.after));
  const Revision wanted = request.revision;
  auto question = wire::page_request(prefix, request);
  // A variable: GCC 12 destroys a lambda that is a temporary of a co_await twice.
  const auto reader = [&prefix, wanted](const JsonPlace& answer) {
    Page page;
    page.revision = wanted != 0 ? wanted : wire::header_revision(answer);
    page.kvs = wire::key_values(answer, prefix, true);
    page.more = wire::bool_at(answer, "more");
    return page;
  };
  std::string gone;
  try {
    co_return co_await impl_->call("/v3/kv/range", std::move(question), Retry::unavailable, reader);
  } catch (const Error& error) {
    gone = error.what();
    if (error.code() != Error::Code::out_of_range || gone.find("has been compacted") == std::string::npos) throw;
  }
  throw Compacted(wanted, diagnose("etcd", "/v3/kv/range", gone));
}

awaitable<Revision> Client::put(std::string key, std::string value, LeaseId lease) {
  return impl_->call("/v3/kv/put", wire::put_request({std::move(key), std::move(value), lease}), Retry::never,
                     wire::header_revision);
}

awaitable<Revision> Client::remove(std::string key) {
  return impl_->call("/v3/kv/deleterange", wire::key_request(key, false), Retry::never, wire::header_revision);
}

awaitable<Revision> Client::remove_prefix(std::string prefix) {
  return impl_->call("/v3/kv/deleterange", wire::key_request(prefix, true), Retry::never, wire::header_revision);
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

awaitable<void> Client::put_v2(std::string key, std::string value) {
  Call put;
  put.verb = verb::put;
  put.target = target_of(key);
  put.body = "value=" + percent_encode(value);
  put.content_type = "application/x-www-form-urlencoded";
  const std::string target = put.target;
  const Answer answer = co_await impl_->send(std::move(put));
  if (answer.status != kOk && answer.status != kCreated) refuse(answer, target);
}

awaitable<std::optional<std::string>> Client::get_v2(std::string key) {
  const Call get = get_call(key);
  const Answer answer = co_await impl_->send(get);
  co_return read_node(answer, get.target, [](const JsonPlace& node) {
    if (wire::bool_at(node, "dir")) node.refuse("that key is a directory");
    return std::optional(wire::string_at(node, "value"));
  });
}

awaitable<std::vector<std::string>> Client::keys_v2(std::string directory) {
  const Call get = get_call(directory);
  const Answer answer = co_await impl_->send(get);
  co_return read_node(answer, get.target, [](const JsonPlace& node) {
    return node.each("nodes", [](const JsonPlace& each) { return wire::string_at(each, "key"); });
  });
}

}  // namespace knetsim::etcd
