#include "store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "knetsim/kube/status.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
using nlohmann::json;

namespace {

constexpr std::chrono::seconds kPatience{5};
// Each time somebody else was faster, so that all together get on; more is a storm that its makers should hear of.
constexpr int kMostAttempts = 100;

/// etcd's refusals in the API's words.
kube::ApiError refusal(const etcd::Error& error) {
  const std::string_view text = error.what();
  // By etcd itself, or by the gateway in front of it.
  if (text.find("request is too large") != std::string_view::npos ||
      text.find("received message larger than max") != std::string_view::npos)
    return kube::too_large("etcdserver: request is too large");
  if (error.code() == etcd::Error::Code::unavailable) return kube::unavailable(error.what());
  if (error.code() == etcd::Error::Code::deadline_exceeded) return kube::plain_failure(504, error.what());
  return kube::internal_error(error.what());
}

}  // namespace

asio::awaitable<Store::Commit> Store::commit(etcd::Txn txn, std::string key, json* object) {
  std::optional<kube::ApiError> refused;
  try {
    const auto result = co_await client_->txn(std::move(txn));
    Commit commit{.succeeded = result.succeeded, .version = nullptr};
    if (!commit.succeeded) co_return commit;
    if (object != nullptr) commit.version = version_of(*object, result.revision);
    cache_->take_own(key, commit.version, result.revision);
    // Whoever is answered finds what was written.
    co_await see(result.revision);
    co_return commit;
  } catch (const etcd::Unavailable& error) {
    refused = error.maybe_applied() ? kube::plain_failure(504, error.what()) : kube::unavailable(error.what());
  } catch (const etcd::Error& error) {
    refused = refusal(error);
  }
  throw *refused;
}

asio::awaitable<void> Store::see(etcd::Revision revision) {
  const bool seen = co_await cache_->reached(revision, kPatience);
  if (!seen) spdlog::warn("the watch of etcd is behind revision {}", revision);
}

asio::awaitable<VersionPtr> Store::read(std::string key) {
  std::optional<kube::ApiError> refused;
  try {
    const auto kv = co_await client_->get(std::move(key));
    if (!kv) co_return nullptr;
    // Another's change is found, too, by whoever is told of it.
    co_await see(kv->mod_revision);
    co_return version_of(*kv);
  } catch (const etcd::Error& error) {
    refused = refusal(error);
  }
  throw *refused;
}

json Store::get(const kube::Kind& kind, const std::string& ns, const std::string& name) const {
  const auto version = cache_->find(kind, cache_key(ns, name));
  if (!version) throw kube::not_found(kind, name);
  return object_of(kind, *version);
}

asio::awaitable<Written> Store::create(const kube::Kind& kind, std::string ns, std::string name, json object) {
  const auto key = kind.key(ns, name);
  etcd::Txn txn;
  txn.compares = {etcd::absent(key)};
  txn.then = {etcd::Put{key, stored_text(object)}};
  auto result = co_await commit(std::move(txn), key, &object);
  if (!result.succeeded) {
    co_await read(key);
    throw kube::already_exists(kind, name);
  }
  co_return Written{.object = std::move(object), .version = std::move(result.version)};
}

asio::awaitable<Written> Store::change(const kube::Kind& kind, std::string ns, std::string name,
                                       std::function<Decision(const json&)> decide, bool dry) {
  const auto key = kind.key(ns, name);
  VersionPtr current = cache_->find(kind, cache_key(ns, name));
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    if (!current) throw kube::not_found(kind, name);
    auto decision = decide(object_of(kind, *current));
    if (dry || decision.deed == Decision::Deed::keep)
      co_return Written{.object = std::move(decision.object), .version = nullptr};
    const bool write = decision.deed == Decision::Deed::write;
    etcd::Txn txn;
    txn.compares = {etcd::mod_revision_is(key, current->revision)};
    if (write)
      txn.then = {etcd::Put{key, stored_text(decision.object)}};
    else
      txn.then = {etcd::Remove{key}};
    auto result = co_await commit(std::move(txn), key, write ? &decision.object : nullptr);
    if (result.succeeded) co_return Written{.object = std::move(decision.object), .version = std::move(result.version)};
    current = co_await read(key);
  }
  throw kube::modified(kind, name);
}

}  // namespace knetsim::apiserver
