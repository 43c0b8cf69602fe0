#include "knetsim/etcd/watcher.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "answer.h"
#include "auth.h"
#include "connection.h"
#include "knetsim/etcd/client.h"
#include "knetsim/sys/text.h"
#include "transport.h"
#include "watch_decoder.h"
#include "watch_stream.h"
#include "wire.h"

namespace knetsim::etcd {

namespace asio = boost::asio;
using nlohmann::json;

namespace {

constexpr const char* kTarget = "/v3/watch";

}  // namespace

class Watcher::Impl {
 public:
  Impl(asio::any_io_executor executor, ClientOptions client, WatchOptions options)
      : executor_(std::move(executor)),
        client_(std::move(client)),
        options_(std::move(options)),
        decoder_(options_.from, [this](std::string answer) { return diagnosis(std::move(answer)); }),
        backoff_(options_.min_backoff),
        timer_(executor_) {
    if (client_.endpoints.empty()) throw InputError("etcd watch: no endpoints were given");
    for (const std::string& text : client_.endpoints) endpoints_.push_back(parse_endpoint(text));
    tls_ = make_tls_context(client_);
  }

  /// `self` keeps the watcher's state alive for as long as the coroutine exists.
  static asio::awaitable<WatchEvents> next(std::shared_ptr<Impl> self) {
    auto& ready = self->decoder_.ready();
    while (ready.empty()) co_await self->advance();
    WatchEvents events = std::move(ready.front());
    ready.pop_front();
    co_return events;
  }

  static asio::awaitable<void> established(std::shared_ptr<Impl> self) {
    while (!self->decoder_.accepted() && self->decoder_.ready().empty()) co_await self->advance();
  }

  Revision revision() const noexcept {
    const auto& ready = decoder_.ready();
    return ready.empty() ? decoder_.next() - 1 : ready.front().events.front().kv.mod_revision - 1;
  }

  void close() {
    closed_ = true;
    timer_.cancel();
    if (stream_) stream_->close();
  }

 private:
  /// One step: opens a stream, or reads from the one that is open.
  asio::awaitable<void> advance() {
    throw_if_over();
    if (!stream_) {
      co_await open();
      co_return;
    }
    std::optional<std::string> lost = co_await read();
    throw_if_over();
    // A stream that has ended may have brought whole lines all the same.
    const std::optional<std::string> complaint = take_messages();
    if (!decoder_.ready().empty()) backoff_ = options_.min_backoff;
    if (!lost) lost = complaint;
    if (!lost) co_return;
    drop_stream();
    co_await back_off(*lost);
  }

  asio::awaitable<void> open() {
    stream_ = std::make_shared<WatchStream>(executor_, endpoints_[current_]);
    OpeningGuard guard(*this);
    auto [token, failure] = co_await log_in();
    if (!failure)
      failure = co_await stream_->open(kTarget, request(), client_.connect_timeout, client_.request_timeout, tls_.get(),
                                       token);
    throw_if_over();
    if (!failure) {
      guard.keep();
      attempts_ = 0;
      failures_.clear();
      co_return;
    }
    refuse_if_final(*failure);
    failures_ += (failures_.empty() ? "" : "; ") + endpoints_[current_].url() + ": " + excerpt(*failure);
    drop_stream();
    if (++attempts_ < endpoints_.size()) co_return;
    attempts_ = 0;
    const std::string reason = std::exchange(failures_, {});
    co_await back_off(reason);
  }

  /// Reads once; after a silence it asks the endpoint whether it lives.
  asio::awaitable<std::optional<std::string>> read() {
    const std::shared_ptr<WatchStream> stream = stream_;
    // A server that has taken the request is given the time of any request to accept the watch.
    const bool pending = !decoder_.stream_accepted();
    const auto silent = std::make_shared<bool>(false);
    const Disarm disarm{timer_};
    timer_.expires_after(pending ? client_.request_timeout : options_.probe_after);
    timer_.async_wait([stream, flag = std::weak_ptr<bool>(silent)](const boost::system::error_code& error) {
      const auto live = flag.lock();
      if (error || !live) return;
      *live = true;
      stream->interrupt();
    });
    std::optional<std::string> lost = co_await stream->read();
    timer_.cancel();
    if (lost || !*silent) co_return lost;
    if (pending)
      co_return "the watch wasn't accepted within " + std::to_string(client_.request_timeout.count()) + " ms";
    co_return co_await probe();
  }

  /// This stream's endpoint alone.
  Transport transport_to_it() const {
    ClientOptions one = client_;
    one.endpoints.assign(1, stream_->endpoint().url());
    return Transport(executor_, std::move(one));
  }

  /// The user's token at the stream's endpoint, and why there is none.
  asio::awaitable<std::pair<std::string, std::optional<std::string>>> log_in() {
    std::pair<std::string, std::optional<std::string>> result;
    if (client_.username.empty()) co_return result;
    Transport transport = transport_to_it();
    try {
      result.first = co_await authenticate(transport);
    } catch (const Error& error) {
      result.second = error.what();
    }
    co_return result;
  }

  asio::awaitable<std::optional<std::string>> probe() {
    Transport transport = transport_to_it();
    Call question;
    question.verb = boost::beast::http::verb::get;
    question.target = "/version";
    question.content_type.clear();
    std::optional<std::string> failure;
    try {
      co_await transport.send(std::move(question));
    } catch (const Unavailable& unavailable) {
      failure = unavailable.what();
    }
    co_return failure;
  }

  std::optional<std::string> take_messages() {
    while (std::optional<std::string> line = stream_->take_line())
      if (std::optional<std::string> lost = decoder_.take(*line)) return lost;
    return std::nullopt;
  }

  void refuse_if_final(const std::string& failure) {
    const unsigned status = stream_->status();
    const auto brace = failure.find('{');
    if (status < 400 || status >= 500 || brace == std::string::npos) return;
    decoder_.take_refusal(failure.substr(brace));
    throw_if_over();
  }

  asio::awaitable<void> back_off(std::string reason) {
    if (decoder_.over()) co_return;
    const std::chrono::milliseconds delay = backoff_;
    backoff_ = std::min(backoff_ * 2, options_.max_backoff);
    if (options_.on_interruption) options_.on_interruption(reason, delay);
    timer_.expires_after(delay);
    boost::system::error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    throw_if_over();
  }

  std::string request() const {
    json create = wire::prefix_range(options_.prefix);
    if (decoder_.next() != 0) create["start_revision"] = std::to_string(decoder_.next());
    create["progress_notify"] = true;
    return json{{"create_request", std::move(create)}}.dump();
  }

  void throw_if_over() {
    if (closed_) throw boost::system::system_error(asio::error::operation_aborted);
    if (decoder_.over() && decoder_.ready().empty()) std::rethrow_exception(decoder_.over());
  }

  /// The next attempt goes to the next endpoint.
  void drop_stream() {
    stream_.reset();
    decoder_.begin_stream();
    current_ = (current_ + 1) % endpoints_.size();
  }

  Diagnosis diagnosis(std::string answer) const {
    return diagnose(stream_ ? stream_->endpoint().url() : "etcd", std::string(kTarget) + " " + options_.prefix,
                    std::move(answer));
  }

  /// A stream that isn't open yet is of no use to the next call if this one is cancelled.
  class OpeningGuard {
   public:
    explicit OpeningGuard(Impl& impl) : impl_(&impl) {}
    ~OpeningGuard() {
      if (impl_ != nullptr) impl_->stream_.reset();
    }
    OpeningGuard(const OpeningGuard&) = delete;
    OpeningGuard& operator=(const OpeningGuard&) = delete;
    void keep() { impl_ = nullptr; }

   private:
    Impl* impl_;
  };

  struct Disarm {
    asio::steady_timer& timer;
    ~Disarm() { timer.cancel(); }
  };

  asio::any_io_executor executor_;
  ClientOptions client_;
  std::shared_ptr<asio::ssl::context> tls_;
  WatchOptions options_;
  std::vector<Endpoint> endpoints_;
  std::size_t current_ = 0;
  std::size_t attempts_ = 0;  // failed ones of this round over the endpoints
  std::string failures_;
  WatchDecoder decoder_;
  std::chrono::milliseconds backoff_;
  asio::steady_timer timer_;
  std::shared_ptr<WatchStream> stream_;
  bool closed_ = false;
};

Watcher::Watcher(asio::any_io_executor executor, const ClientOptions& client, WatchOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), client, std::move(options))) {}
Watcher::Watcher(Watcher&&) noexcept = default;

Watcher& Watcher::operator=(Watcher&& other) noexcept {
  if (impl_ && impl_ != other.impl_) impl_->close();
  impl_ = std::move(other.impl_);
  return *this;
}

Watcher::~Watcher() {
  if (impl_) impl_->close();
}

asio::awaitable<WatchEvents> Watcher::next() { return Impl::next(impl_); }
asio::awaitable<void> Watcher::established() { return Impl::established(impl_); }
Revision Watcher::revision() const noexcept { return impl_->revision(); }
void Watcher::close() { impl_->close(); }

}  // namespace knetsim::etcd
