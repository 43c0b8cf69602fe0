#include "event_stream.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "knetsim/kube/status.h"
#include "now.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
using nlohmann::json;

namespace {

constexpr std::size_t kPiece = 256 << 10;
constexpr std::size_t kLongestQueue = 16UL << 20;  // bytes; more than 10,000 services at once
constexpr std::chrono::seconds kBookmarkEvery{60};

}  // namespace

bool Selection::covers(std::string_view key) const {
  return ns.empty() || (key.size() > ns.size() && key[ns.size()] == '/' && key.starts_with(ns));
}

EventStream::EventStream(const asio::any_io_executor& executor, Cache& cache, WatchRequest request)
    : cache_(&cache),
      request_(std::move(request)),
      timer_(executor),
      deadline_(Clock::now() + request_.timeout),
      next_bookmark_(Clock::now() + kBookmarkEvery) {
  cache_->subscribe(*request_.selection.kind, *this);
  begin();
}

EventStream::~EventStream() { cache_->unsubscribe(*request_.selection.kind, *this); }

void EventStream::begin() {
  const auto& kind = *request_.selection.kind;
  began_ = cache_->revision();
  if (request_.since) {
    const auto changes = cache_->changes_after(kind, *request_.since);
    if (!changes) {
      const auto expired =
          kube::expired(fmt::format("too old resource version: {} ({})", *request_.since, cache_->oldest(kind)));
      push(std::make_shared<const std::string>(event_line("ERROR", expired.status().dump())));
      over_ = true;
      return;
    }
    for (const auto& change : *changes) see(*change);
    return;
  }
  for (const auto& [key, version] : cache_->objects(kind))
    if (request_.selection.covers(key) && !version->text.empty()) initial_.push_back(version);
}

std::string EventStream::event(std::string_view type, const json& object, etcd::Revision revision) {
  const auto& kind = *request_.selection.kind;
  const auto& form = request_.view.form;
  if (form.kind == Form::Kind::object) return event_line(type, object.dump());
  if (form.kind == Form::Kind::metadata) return event_line(type, kube::partial_metadata(object, form.version).dump());
  const std::array<json, 1> objects{object};
  const auto table = kube::table(kind, objects, json{{"resourceVersion", std::to_string(revision)}},
                                 {now(), request_.view.include, !std::exchange(columns_sent_, true), form.version});
  return event_line(type, table.dump());
}

std::string EventStream::bookmark(etcd::Revision revision, bool initial_end) {
  const auto& kind = *request_.selection.kind;
  json object{{"kind", kind.kind},
              {"apiVersion", kind.api_version()},
              {"metadata", {{"resourceVersion", std::to_string(revision)}, {"creationTimestamp", nullptr}}}};
  if (initial_end) object["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
  next_bookmark_ = Clock::now() + kBookmarkEvery;
  return event("BOOKMARK", object, revision);
}

std::string EventStream::next_initial() {
  const auto& selection = request_.selection;
  const bool plain =
      request_.view.form.kind == Form::Kind::object && selection.labels.empty() && selection.fields.empty();
  std::string piece;
  while (initial_sent_ < initial_.size() && piece.size() < kPiece) {
    const auto version = std::move(initial_[initial_sent_++]);
    if (plain) {
      piece += event_line("ADDED", text_of(*selection.kind, *version));
      continue;
    }
    const auto object = object_of(*selection.kind, *version);
    if (selection.matches(object)) piece += event("ADDED", object, version->revision);
  }
  if (initial_sent_ < initial_.size()) return piece;
  initial_ = {};
  initial_sent_ = 0;
  // What has happened since it began is in the queue: the mark must not promise it.
  if (std::exchange(request_.mark_initial_end, false)) piece += bookmark(began_, true);
  return piece;
}

void EventStream::push(TextPtr line) {
  queued_bytes_ += line->size();
  queue_.push_back(std::move(line));
  if (queued_bytes_ > kLongestQueue) {
    queue_.clear();
    over_ = true;
  }
  timer_.cancel();
}

void EventStream::see(const Change& change) {
  const auto& selection = request_.selection;
  if (over_ || !selection.covers(change.key())) return;
  // From a revision in the future on there is silence until then.
  if (request_.since && change.revision() <= *request_.since) return;
  const auto& kind = *selection.kind;
  bool matched = change.before() && !change.before()->text.empty();
  bool matches = change.after() && !change.after()->text.empty();
  if (!selection.labels.empty() || !selection.fields.empty()) {
    matched = matched && selection.matches(*change.object_before(kind));
    matches = matches && selection.matches(*change.object_after(kind));
  }
  if (!matched && !matches) return;
  const std::string_view type = matches ? (matched ? "MODIFIED" : "ADDED") : "DELETED";
  if (request_.view.form.kind == Form::Kind::object) return push(change.line(kind, type));
  const auto version = matches ? change.after() : change.parting();
  push(std::make_shared<const std::string>(event(type, object_of(kind, *version), change.revision())));
}

void EventStream::lose_track() {
  if (over_) return;
  const auto expired = kube::expired("the history of changes was lost; list again");
  push(std::make_shared<const std::string>(event_line("ERROR", expired.status().dump())));
  over_ = true;
}

void EventStream::end() {
  ended_ = true;
  timer_.cancel();
}

asio::awaitable<std::string> EventStream::next() {
  while (!ended_) {
    if (!initial_.empty() || request_.mark_initial_end) {
      auto piece = next_initial();
      if (!piece.empty()) co_return piece;
      continue;
    }
    if (!queue_.empty()) {
      std::string piece;
      while (!queue_.empty() && piece.size() < kPiece) {
        piece += *queue_.front();
        queued_bytes_ -= queue_.front()->size();
        queue_.pop_front();
      }
      co_return piece;
    }
    if (over_) break;
    const auto time = Clock::now();
    if (time >= deadline_) {
      over_ = true;
      if (request_.bookmarks) co_return bookmark(std::max(cache_->revision(), request_.since.value_or(0)), false);
      break;
    }
    if (request_.bookmarks && time >= next_bookmark_)
      co_return bookmark(std::max(cache_->revision(), request_.since.value_or(0)), false);
    timer_.expires_at(request_.bookmarks ? std::min(deadline_, next_bookmark_) : deadline_);
    boost::system::error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return std::string();
}

}  // namespace knetsim::apiserver
