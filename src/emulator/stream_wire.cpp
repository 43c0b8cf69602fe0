#include "stream_wire.h"

#include <algorithm>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <utility>

#include "knetsim/sys/error.h"
#include "spdy.h"

namespace knetsim {

namespace asio = boost::asio;
using stream_frames::Channel;
using stream_frames::Message;

namespace {

constexpr std::chrono::seconds kStreamsWithin{30};  // as upstream
constexpr std::uint32_t kRefusedStream = 3;

class MessageWire final : public StreamWire {
 public:
  explicit MessageWire(std::unique_ptr<UpgradedLink> link)
      : link_(std::move(link)), turns_(link_->transport().get_executor()) {}

  asio::awaitable<bool> accept() override { return link_->accept(); }
  asio::awaitable<std::optional<Message>> next() override {
    auto text = co_await link_->read();
    if (!text) co_return std::nullopt;
    text_ = *std::move(text);
    co_return stream_frames::read(text_);
  }
  asio::awaitable<bool> send(Channel channel, std::string_view data) override {
    std::string message(1, static_cast<char>(channel));
    message += data;
    co_await turns_.take();
    const bool sent = co_await link_->write(std::move(message));
    turns_.give();
    co_return sent;
  }
  asio::awaitable<void> finish(const std::string& status) override {
    // A client that gives up without it tells of a connection that was lost.
    const bool sent = co_await send(Channel::status, status);
    if (sent) co_await link_->part();
  }
  boost::beast::tcp_stream& transport() override { return link_->transport(); }

 private:
  std::unique_ptr<UpgradedLink> link_;
  Turns turns_;
  std::string text_;
};

class SpdyWire final : public StreamWire {
 public:
  SpdyWire(std::unique_ptr<UpgradedLink> link, Streams wanted)
      : link_(std::move(link)), turns_(link_->transport().get_executor()) {
    missing_ = {"error"};
    if (wanted.in) missing_.emplace_back("stdin");
    if (wanted.out) missing_.emplace_back("stdout");
    if (wanted.err && !wanted.terminal) missing_.emplace_back("stderr");
    if (wanted.terminal) missing_.emplace_back("resize");
  }

  asio::awaitable<bool> accept() override {
    const bool answered = co_await link_->accept();
    if (!answered) co_return false;
    transport().expires_after(kStreamsWithin);
    while (!missing_.empty()) {
      const bool more = co_await take_some();
      if (!more) co_return false;
    }
    transport().expires_never();
    co_return true;
  }
  asio::awaitable<std::optional<Message>> next() override {
    if (std::exchange(told_, false)) said_.pop_front();
    while (said_.empty()) {
      const bool more = co_await take_some();
      if (!more) co_return std::nullopt;
    }
    told_ = true;
    const auto& [kind, text] = said_.front();
    if (kind == Message::Kind::resize) co_return stream_frames::read(text);
    co_return Message{.kind = kind, .data = text, .window = {}};
  }
  asio::awaitable<bool> send(Channel channel, std::string_view data) override {
    const auto stream = streams_.find(channel == Channel::err ? "stderr" : "stdout");
    if (stream == streams_.end()) co_return true;
    co_return co_await write(spdy::Writer::data(stream->second, data));
  }
  asio::awaitable<void> finish(const std::string& status) override {
    std::string last;
    for (const auto* const name : {"stdout", "stderr"})
      if (const auto stream = streams_.find(name); stream != streams_.end())
        last += spdy::Writer::data(stream->second, {}, true);
    last += spdy::Writer::data(streams_.at("error"), status, true);
    const bool sent = co_await write(std::move(last));
    if (sent) co_await link_->part();
  }
  boost::beast::tcp_stream& transport() override { return link_->transport(); }

 private:
  struct Said {
    Message::Kind kind = Message::Kind::nothing;
    std::string text = {};
  };

  asio::awaitable<bool> write(std::string bytes) {
    co_await turns_.take();
    const bool written = co_await link_->write(std::move(bytes));
    turns_.give();
    co_return written;
  }
  /// False: nothing more comes, or what comes isn't SPDY.
  asio::awaitable<bool> take_some() {
    const auto bytes = co_await link_->read();
    if (!bytes) co_return false;
    std::string answers;
    try {
      reader_.take(*bytes);
      while (const auto frame = reader_.next()) answers += take(*frame);
    } catch (const InputError&) {
      co_return false;
    }
    if (answers.empty()) co_return true;
    co_return co_await write(std::move(answers));
  }
  /// What is answered to a frame.
  std::string take(const spdy::Frame& frame) {
    if (frame.kind == spdy::Kind::syn_stream) return open(frame);
    if (frame.kind == spdy::Kind::ping) return spdy::Writer::ping(frame.number);
    if (frame.kind != spdy::Kind::data) return {};
    if (!missing_.empty()) throw InputError("data came before all streams were there");
    if (is("stdin", frame.stream)) {
      if (!frame.data.empty()) said_.push_back({Message::Kind::input, frame.data});
      if (frame.last) said_.push_back({Message::Kind::end_of_input});
    } else if (is("resize", frame.stream)) {
      said_.push_back({Message::Kind::resize, static_cast<char>(Channel::resize) + last_line(frame.data)});
    }
    return {};
  }
  std::string open(const spdy::Frame& frame) {
    const auto type = frame.headers.find("streamtype");
    const auto awaited = type == frame.headers.end() ? missing_.end() : std::ranges::find(missing_, type->second);
    if (awaited == missing_.end()) return spdy::Writer::reset(frame.stream, kRefusedStream);
    streams_[*awaited] = frame.stream;
    missing_.erase(awaited);
    return writer_.syn_reply(frame.stream);
  }
  bool is(const char* name, std::uint32_t stream) const {
    const auto found = streams_.find(name);
    return found != streams_.end() && found->second == stream;
  }
  /// Windows that came together: the last is the one that counts.
  static std::string last_line(std::string_view lines) {
    while (lines.ends_with('\n')) lines.remove_suffix(1);
    return std::string(lines.substr(lines.rfind('\n') + 1));
  }

  std::unique_ptr<UpgradedLink> link_;
  Turns turns_;
  spdy::Reader reader_;
  spdy::Writer writer_;
  std::vector<std::string> missing_;
  std::map<std::string, std::uint32_t, std::less<>> streams_;
  std::deque<Said> said_;
  bool told_ = false;  // the first of them
};

}  // namespace

std::unique_ptr<StreamWire> message_wire(std::unique_ptr<UpgradedLink> link) {
  return std::make_unique<MessageWire>(std::move(link));
}

std::unique_ptr<StreamWire> spdy_wire(std::unique_ptr<UpgradedLink> link, Streams wanted) {
  return std::make_unique<SpdyWire>(std::move(link), wanted);
}

}  // namespace knetsim
