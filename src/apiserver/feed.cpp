#include "feed.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "knetsim/etcd/watcher.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;

namespace {

constexpr std::int64_t kPage = 2'000;  // objects; etcd's answers are bounded by its client
constexpr std::int64_t kSmallestPage = 10;
constexpr std::chrono::milliseconds kPause{50};

}  // namespace

asio::awaitable<void> Feed::list() {
  Cache::Contents contents;
  const std::string root(Cache::kRoot);
  etcd::PageRequest request{.limit = kPage};
  for (bool more = true; more;) {
    std::optional<etcd::Page> answer;
    try {
      answer = co_await client_->page(root, request);
    } catch (const etcd::Unavailable& error) {
      // So it is said, too, when an answer is longer than etcd's client reads.
      if (request.limit <= kSmallestPage) throw;
      if (!told_) spdlog::warn("reading {} objects at once: {}", request.limit, error.what());
    }
    if (!answer) {
      request.limit = std::max(kSmallestPage, request.limit / 8);
      continue;
    }
    const etcd::Page page = *std::move(answer);
    for (const auto& kv : page.kvs) Cache::add(contents, kv);
    request.revision = page.revision;
    if (!page.kvs.empty()) request.after = page.kvs.back().key;
    more = page.more && !page.kvs.empty();
  }
  cache_->replace(std::move(contents), request.revision);
}

asio::awaitable<void> Feed::fill(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    try {
      co_await list();
      told_ = false;
      co_return;
    } catch (const etcd::Compacted&) {
      // Between two pages: from the first one again.
    } catch (const etcd::Unavailable&) {
      if (std::chrono::steady_clock::now() >= deadline) throw;
      told_ = true;  // while etcd is away, the same would be said twenty times a second
    }
    asio::steady_timer pause(executor_, kPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> Feed::follow() {
  for (;;) {
    etcd::WatchOptions options;
    options.prefix = Cache::kRoot;
    options.from = cache_->revision() + 1;
    options.on_interruption = [](const std::string& reason, std::chrono::milliseconds) {
      spdlog::warn("the watch of etcd was interrupted: {}", reason);
    };
    etcd::Watcher watcher(executor_, client_->options(), std::move(options));
    try {
      for (;;) cache_->take(co_await watcher.next());
    } catch (const etcd::Compacted& gone) {
      spdlog::warn("etcd has forgotten what was missed, everything is read again: {}", gone.what());
    }
    co_await fill(std::chrono::hours(24));
  }
}

}  // namespace knetsim::apiserver
