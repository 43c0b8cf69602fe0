#include "knetsim/apiserver/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <exception>
#include <set>
#include <utility>

#include "knetsim/apiserver/query.h"
#include "knetsim/kube/access.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/text.h"
#include "wire.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using nlohmann::json;

namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr std::uint64_t kLongestList = 256ULL << 20;
constexpr std::size_t kLongestEvent = 16UL << 20;
constexpr std::chrono::milliseconds kFirstPause{10};
constexpr std::chrono::milliseconds kLongestPause{1'000};
constexpr unsigned kOk = 200;
constexpr unsigned kGone = 410;

/// A server that is away, or that answers with something else than what was asked for.
class Interruption : public Error {
 public:
  using Error::Error;
};

json read_answer_json(const std::string& text) {
  try {
    return parse_json(text, {.size = kLongestList});
  } catch (const InputError& error) {
    throw Interruption(fmt::format("what it sent is no JSON: {}", error.what()));
  }
}

/// The words of a Status.
std::string words_of(unsigned status, const json& body) {
  const auto& message = kube::text_at(body, "message");
  return message.empty() ? fmt::format("HTTP status {}", status) : excerpt(message, 1'000);
}

}  // namespace

std::uint64_t revision_of(const json& object) {
  const auto& text = kube::text_at(object, "metadata", "resourceVersion");
  std::uint64_t revision = 0;
  std::from_chars(text.data(), text.data() + text.size(), revision);
  return revision;
}

struct Informer::State {
  State(asio::io_context& context, Access access, Collection what, InformerCalls told)
      : collection(std::move(what)), calls(std::move(told)), wire(context, std::move(access)), pause(context) {}

  Collection collection;
  InformerCalls calls;
  Wire wire;
  beast::flat_buffer buffer;
  std::array<char, 16'384> piece{};  ///< of a watch
  asio::steady_timer pause;
  std::map<std::string, json, std::less<>> objects;
  std::set<std::string> forgotten;  ///< uids, until the watch has told of their end, too
  std::string revision;             ///< up to which all is known; empty: nothing, it must be listed
  bool listed = false;
  bool over = false;

  static asio::awaitable<void> run(std::shared_ptr<State> self);
  asio::awaitable<void> list();
  asio::awaitable<void> follow();
  asio::awaitable<void> send(std::string query);

  void take_list(json list);
  void take_event(const std::string& line);
  void put(json object);
  void remove(const std::string& key, std::uint64_t at);
  void tell(const json* before, const json* now) const {
    if (calls.changed) calls.changed(before, now);
  }
};

asio::awaitable<void> Informer::State::send(std::string query) {
  std::string target = collection.path + query;
  if (!collection.labels.empty()) target += "&labelSelector=" + percent_encoded(collection.labels);
  if (!collection.fields.empty()) target += "&fieldSelector=" + percent_encoded(collection.fields);
  http::request<http::empty_body> request(http::verb::get, target, 11);
  const auto& [server, tls, token] = wire.access();
  request.set(http::field::host, fmt::format("{}:{}", server.address().to_string(), server.port()));
  if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
  request.set(http::field::accept, "application/json");
  if (!wire.is_open()) {
    buffer.clear();
    co_await wire.connect(kPatience);
  }
  wire.expires_after(kPatience);
  co_await wire.with([&](auto& stream) { return http::async_write(stream, request, asio::use_awaitable); });
}

asio::awaitable<void> Informer::State::list() {
  std::string any_state = "?resourceVersion=0";
  co_await send(std::move(any_state));
  http::response_parser<http::string_body> parser;
  parser.body_limit(kLongestList);
  co_await wire.with([&](auto& stream) { return http::async_read(stream, buffer, parser, asio::use_awaitable); });
  const auto& answer = parser.get();
  if (!answer.keep_alive()) wire.close();
  auto body = read_answer_json(answer.body());
  if (answer.result_int() != kOk) throw Interruption(words_of(answer.result_int(), body));
  take_list(std::move(body));
}

void Informer::State::take_list(json list) {
  const auto at = revision_of(list);
  if (at == 0) throw Interruption("a list without a resourceVersion");
  const auto& kind = kube::text_at(list, "kind");
  std::set<std::string> there;
  std::set<std::string> uids;
  for (auto& item : list["items"]) {
    if (!item.is_object()) continue;
    // Items of a list don't say what they are.
    if (!item.contains("kind") && kind.ends_with("List")) item["kind"] = kind.substr(0, kind.size() - 4);
    if (!item.contains("apiVersion")) item["apiVersion"] = list["apiVersion"];
    there.insert(key_of(item));
    uids.insert(kube::text_at(item, "metadata", "uid"));
    put(std::move(item));
  }
  std::vector<std::string> gone;
  for (const auto& [key, object] : objects)
    if (!there.contains(key)) gone.push_back(key);
  for (const auto& key : gone) remove(key, at);
  std::erase_if(forgotten, [&](const auto& uid) { return !uids.contains(uid); });
  revision = kube::text_at(list, "metadata", "resourceVersion");
  listed = true;
  if (calls.listed) calls.listed();
}

asio::awaitable<void> Informer::State::follow() {
  auto from_here = fmt::format("?watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}", revision,
                               collection.watch_time.count());
  co_await send(std::move(from_here));
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  co_await wire.with(
      [&](auto& stream) { return http::async_read_header(stream, buffer, parser, asio::use_awaitable); });
  const auto status = parser.get().result_int();
  wire.expires_after(collection.watch_time + kPatience);
  std::string text;
  while (!parser.is_done() && !over) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    boost::system::error_code error;
    co_await wire.with([&](auto& stream) {
      return http::async_read_some(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
    });
    if (error && error != http::error::need_buffer) throw boost::system::system_error(error);
    text.append(piece.data(), piece.size() - parser.get().body().size);
    if (text.size() > kLongestEvent) throw Interruption("an event without an end");
    if (status != kOk) continue;
    std::size_t begin = 0;
    for (auto end = text.find('\n'); end != std::string::npos && !over; end = text.find('\n', begin)) {
      take_event(text.substr(begin, end - begin));
      begin = end + 1;
    }
    text.erase(0, begin);
  }
  if (over) co_return;
  if (!parser.get().keep_alive()) wire.close();
  if (status == kOk) co_return;
  if (status == kGone) revision.clear();
  throw Interruption(words_of(status, read_answer_json(text)));
}

void Informer::State::take_event(const std::string& line) {
  auto event = read_answer_json(line);
  const auto& type = kube::text_at(event, "type");
  if (!kube::member(event, "object").is_object()) throw Interruption("an event without an object");
  auto& object = event["object"];
  if (type == "ERROR") {
    if (kube::number_at(object, "code") == kGone) revision.clear();
    throw Interruption(words_of(static_cast<unsigned>(kube::number_at(object, "code")), object));
  }
  const auto at = revision_of(object);
  if (at == 0) throw Interruption("an event without a resourceVersion");
  revision = kube::text_at(object, "metadata", "resourceVersion");
  if (type == "BOOKMARK") return;
  if (type == "DELETED") {
    forgotten.erase(kube::text_at(object, "metadata", "uid"));
    remove(key_of(object), at);
  } else {
    put(std::move(object));
  }
}

void Informer::State::put(json object) {
  if (forgotten.contains(kube::text_at(object, "metadata", "uid"))) return;
  const auto [place, is_new] = objects.try_emplace(key_of(object));
  if (!is_new && revision_of(place->second) >= revision_of(object)) return;
  const json before = std::exchange(place->second, std::move(object));
  tell(is_new ? nullptr : &before, &place->second);
}

void Informer::State::remove(const std::string& key, std::uint64_t at) {
  const auto found = objects.find(key);
  if (found == objects.end() || revision_of(found->second) > at) return;
  const auto gone = objects.extract(found);
  tell(&gone.mapped(), nullptr);
}

asio::awaitable<void> Informer::State::run(std::shared_ptr<State> self) {
  auto& state = *self;
  auto pause = kFirstPause;
  while (!state.over) {
    const auto begin = std::chrono::steady_clock::now();
    std::string why;
    try {
      if (state.revision.empty()) co_await state.list();
      if (!state.over) co_await state.follow();
    } catch (const Interruption& error) {
      why = error.what();
    } catch (const boost::system::system_error& error) {
      why = error.code().message();
    }
    if (state.over) co_return;
    if (!why.empty()) {
      state.wire.close();
      if (state.calls.interrupted) state.calls.interrupted(why);
    }
    // One that ends again and again isn't asked without a pause.
    pause = std::chrono::steady_clock::now() - begin > kLongestPause ? kFirstPause : pause;
    state.pause.expires_after(pause);
    boost::system::error_code ended;
    co_await state.pause.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    pause = std::min(pause * 2, kLongestPause);
  }
}

Informer::Informer(asio::io_context& context, Access access, Collection collection, InformerCalls calls)
    : state_(std::make_shared<State>(context, std::move(access), std::move(collection), std::move(calls))) {
  asio::co_spawn(context, State::run(state_), [](const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);
  });
}

Informer::Informer(Informer&&) noexcept = default;
Informer& Informer::operator=(Informer&& other) noexcept {
  Informer old(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

Informer::~Informer() {
  if (!state_) return;
  state_->over = true;
  state_->calls = {};
  state_->wire.close();
  state_->pause.cancel();
}

const std::map<std::string, json, std::less<>>& Informer::objects() const noexcept { return state_->objects; }

const json* Informer::find(std::string_view key) const {
  const auto found = state_->objects.find(key);
  return found == state_->objects.end() ? nullptr : &found->second;
}

const json* Informer::find(std::string_view ns, std::string_view name) const {
  return find(ns.empty() ? std::string(name) : fmt::format("{}/{}", ns, name));
}

bool Informer::listed() const noexcept { return state_->listed; }

void Informer::note(json object) { state_->put(std::move(object)); }

void Informer::forget(const json& object) {
  const auto& uid = kube::text_at(object, "metadata", "uid");
  const auto key = key_of(object);
  const auto* there = find(key);
  if (there == nullptr || kube::text_at(*there, "metadata", "uid") != uid) return;
  state_->forgotten.insert(uid);
  state_->remove(key, revision_of(*there));
}

std::string Informer::key_of(const json& object) {
  const auto& ns = kube::namespace_of(object);
  return ns.empty() ? kube::name_of(object) : fmt::format("{}/{}", ns, kube::name_of(object));
}

}  // namespace knetsim::apiserver
