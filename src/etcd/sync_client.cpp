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
      while (!done())
        if (context.run_one_until(deadline) == 0) return done();
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

Client& SyncClient::client() { return state_->client; }
void SyncClient::run(awaitable<void> call) { block_on(state_->context, state_->netns, std::move(call)); }

SyncWatcher SyncClient::watch(std::string prefix, Revision from, milliseconds budget) {
  return watch(WatchOptions{.prefix = std::move(prefix), .from = from}, budget);
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
  if (!state->run(budget, [&accepted] { return accepted; }))
    throw StillMissing("a server that accepts the watch: " + *interruption, budget);
  if (error) std::rethrow_exception(error);
  return SyncWatcher(std::move(state));
}

}  // namespace knetsim::etcd
