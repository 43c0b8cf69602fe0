#include "knetsim/etcd/sync_client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <utility>

#include "blocking.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::etcd {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct SyncClient::State {
  State(const NetNs* where, ClientOptions options)
      : netns(where), context(1), client(context.get_executor(), options) {}

  template <typename T>
  T finish(awaitable<T> call) {
    return block_on(context, netns, std::move(call));
  }

  const NetNs* netns;
  asio::io_context context;
  Client client;
};

struct SyncWatcher::State {
  State(const NetNs* where, const ClientOptions& client, WatchOptions options)
      : netns(where), context(1), watcher(context.get_executor(), client, std::move(options)) {}

  /// Runs until `done` or the budget ends; what is under way stays so.
  template <typename Done>
  bool run(milliseconds budget, Done done) {
    return inside(netns, [&] {
      const auto deadline = steady_clock::now() + budget;
      context.restart();
      while (!done()) {
        if (context.run_one_until(deadline) == 0) return done();
      }
      return true;
    });
  }

  void begin_next() {
    if (std::exchange(pending, true)) return;
    asio::co_spawn(context, watcher.next(), [this](std::exception_ptr thrown, WatchEvents events) {
      pending = false;
      error = std::move(thrown);
      if (!error) result.emplace(std::move(events));
    });
  }

  const NetNs* netns;
  bool pending = false;
  std::exception_ptr error;
  std::optional<WatchEvents> result;
  asio::io_context context;
  Watcher watcher;
};

SyncWatcher::SyncWatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
SyncWatcher::SyncWatcher(SyncWatcher&&) noexcept = default;
SyncWatcher& SyncWatcher::operator=(SyncWatcher&&) noexcept = default;
SyncWatcher::~SyncWatcher() = default;

std::optional<WatchEvents> SyncWatcher::next(milliseconds budget) {
  State& state = *state_;
  state.begin_next();
  state.run(budget, [&state] { return !state.pending; });
  if (state.error) std::rethrow_exception(std::exchange(state.error, nullptr));
  return std::exchange(state.result, std::nullopt);
}

Revision SyncWatcher::revision() const noexcept { return state_->watcher.revision(); }

SyncClient::SyncClient(ClientOptions options) : state_(std::make_unique<State>(nullptr, std::move(options))) {}
SyncClient::SyncClient(const NetNs& netns, ClientOptions options)
    : state_(std::make_unique<State>(&netns, std::move(options))) {}
SyncClient::SyncClient(SyncClient&&) noexcept = default;
SyncClient& SyncClient::operator=(SyncClient&&) noexcept = default;
SyncClient::~SyncClient() = default;

std::optional<KeyValue> SyncClient::get(std::string key) { return state_->finish(state_->client.get(std::move(key))); }

Listing SyncClient::list(std::string prefix) { return state_->finish(state_->client.list(std::move(prefix))); }

Revision SyncClient::put(std::string key, std::string value, LeaseId lease) {
  return state_->finish(state_->client.put(std::move(key), std::move(value), lease));
}

Revision SyncClient::remove(std::string key) { return state_->finish(state_->client.remove(std::move(key))); }

Revision SyncClient::remove_prefix(std::string prefix) {
  return state_->finish(state_->client.remove_prefix(std::move(prefix)));
}

TxnResult SyncClient::txn(Txn txn) { return state_->finish(state_->client.txn(std::move(txn))); }

Lease SyncClient::grant(std::chrono::seconds ttl) { return state_->finish(state_->client.grant(ttl)); }

std::chrono::seconds SyncClient::keep_alive(LeaseId id) { return state_->finish(state_->client.keep_alive(id)); }

std::optional<LeaseState> SyncClient::time_to_live(LeaseId id) {
  return state_->finish(state_->client.time_to_live(id));
}

void SyncClient::revoke(LeaseId id) { state_->finish(state_->client.revoke(id)); }

void SyncClient::compact(Revision revision) { state_->finish(state_->client.compact(revision)); }

Status SyncClient::status() { return state_->finish(state_->client.status()); }

std::vector<MemberInfo> SyncClient::members() { return state_->finish(state_->client.members()); }

std::optional<std::string> SyncClient::health() { return state_->finish(state_->client.health()); }

void SyncClient::put_v2(std::string key, std::string value) {
  state_->finish(state_->client.put_v2(std::move(key), std::move(value)));
}

std::optional<std::string> SyncClient::get_v2(std::string key) {
  return state_->finish(state_->client.get_v2(std::move(key)));
}
std::vector<std::string> SyncClient::keys_v2(std::string directory) {
  return state_->finish(state_->client.keys_v2(std::move(directory)));
}

SyncWatcher SyncClient::watch(std::string prefix, Revision from, milliseconds budget) {
  WatchOptions options;
  options.prefix = std::move(prefix);
  options.from = from;
  return watch(std::move(options), budget);
}

SyncWatcher SyncClient::watch(WatchOptions options, milliseconds budget) {
  auto interruption = std::make_shared<std::string>("no server has answered yet");
  options.on_interruption = [interruption, told = std::move(options.on_interruption)](const std::string& reason,
                                                                                      milliseconds delay) {
    *interruption = reason;
    if (told) told(reason, delay);
  };
  auto state = std::make_unique<SyncWatcher::State>(state_->netns, state_->client.options(), std::move(options));
  bool accepted = false;
  std::exception_ptr error;
  asio::co_spawn(state->context, state->watcher.established(), [&](std::exception_ptr thrown) {
    error = std::move(thrown);
    accepted = true;
  });
  if (!state->run(budget, [&accepted] { return accepted; })) {
    throw StillMissing("a server that accepts the watch: " + *interruption, budget);
  }
  if (error) std::rethrow_exception(error);
  return SyncWatcher(std::move(state));
}

}  // namespace knetsim::etcd
