#include "manager.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <random>

#include "knetsim/kube/access.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/sys/error.h"

namespace knetsim::controllers {

using std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kFirstPause{20};
constexpr std::chrono::milliseconds kLongestPause{30'000};
constexpr unsigned kNotFound = 404;

/// Events are many, nobody decides by them, and nobody's own they are.
bool is_watched(const kube::Kind& kind) { return kind.allows("watch") && kind.plural != "events"; }

}  // namespace

Manager::Manager(boost::asio::io_context& context, const boost::asio::ip::tcp::endpoint& server,
                 std::vector<const Controller*> controllers, std::function<void()> ready)
    : context_(&context),
      controllers_(std::move(controllers)),
      ready_(std::move(ready)),
      client_(server.address(), server.port()),
      timer_(context) {
  view_.random = [generator = std::mt19937_64(std::random_device{}())]() mutable { return generator(); };
  for (const auto& kind : kube::kinds())
    if (is_watched(kind)) watch(context, server, kind);
}

void Manager::watch(boost::asio::io_context& context, const boost::asio::ip::tcp::endpoint& server,
                    const kube::Kind& kind) {
  const auto path = collection_of(kind, {});
  apiserver::InformerCalls calls{
      .changed = [this, &kind](const json* before, const json* now) { has_changed(kind, before, now); },
      .listed = [this] { has_listed(); },
      .interrupted = [path](const std::string& why) { spdlog::warn("{}: {}", path, why); }};
  const auto place = informers_.emplace(
      &kind, apiserver::Informer(context, {server}, apiserver::Collection{.path = path}, std::move(calls)));
  view_.add(kind, place.first->second.objects());
}

void Manager::has_listed() {
  if (all_listed_ || !std::ranges::all_of(informers_, [](const auto& each) { return each.second.listed(); })) return;
  all_listed_ = true;
  // What there is has been told while not all of it was known.
  for (const auto& [kind, informer] : informers_)
    for (const auto& [key, object] : informer.objects()) has_changed(*kind, nullptr, &object);
  ready_();
}

void Manager::has_changed(const kube::Kind& kind, const json* before, const json* now) {
  view_.track(kind, before, now);
  if (!all_listed_) return;
  for (const auto* controller : controllers_) {
    std::set<std::string> keys;
    controller->concerns(view_, {.kind = kind, .before = before, .now = now}, keys);
    for (const auto& key : keys) enqueue({controller, key});
  }
}

void Manager::enqueue(Item item) {
  if (!queued_.insert(item).second) return;
  queue_.push_back(std::move(item));
  if (std::exchange(at_work_, true)) return;
  boost::asio::post(*context_, [this] { work(); });
}

void Manager::work() {
  const auto item = std::move(queue_.front());
  queue_.pop_front();
  queued_.erase(item);
  decide(item);
  at_work_ = !queue_.empty();
  // In between, the watches are heard.
  if (at_work_) boost::asio::post(*context_, [this] { work(); });
}

void Manager::decide(const Item& item) {
  view_.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  Decision decision;
  try {
    decision = item.controller->decide(view_, item.key);
  } catch (const std::exception& error) {
    // An object that somebody has put into etcd past the API can be of any shape.
    fail(item, error.what());
    return;
  }
  for (const auto& write : decision.writes) {
    const auto outcome = perform(write);
    if (outcome == Outcome::done) continue;
    if (outcome == Outcome::failed) fail(item, failure_);
    return;
  }
  failures_.erase(item);
  if (decision.again_after) enqueue_at(item, steady_clock::now() + *decision.again_after);
}

Manager::Outcome Manager::ask(const Question& question) {
  const bool of_object = !question.not_uid.empty();
  const auto answer = client_.ask("GET", question.target + (of_object ? "" : "?limit=1"));
  if (of_object && answer.status == kNotFound) return Outcome::done;
  if (!answer.good()) {
    failure_ = fmt::format("GET {}: {}", question.target, answer.complaint());
    return Outcome::failed;
  }
  const bool holds = of_object ? uid_of(answer.body) != question.not_uid : kube::list_at(answer.body, "items").empty();
  return holds ? Outcome::done : Outcome::left_out;
}

Manager::Outcome Manager::perform(const Write& write) {
  const bool is_event = write.kind->plural == "events";
  try {
    for (const auto& question : write.only_if)
      if (const auto outcome = ask(question); outcome != Outcome::done) return outcome;
    auto answer = client_.ask(write.method, write.target, write.body, write.type);
    spdlog::debug("{} {} {}", write.method, write.target, answer.status);
    if (answer.good()) {
      learn(write, std::move(answer.body));
      return Outcome::done;
    }
    // What is gone needs no change, and nothing hangs on an Event.
    if ((answer.status == kNotFound && write.method != "POST") || is_event) return Outcome::done;
    failure_ = fmt::format("{} {}: {}", write.method, write.target, answer.complaint());
  } catch (const Error& error) {
    failure_ = error.what();
  }
  return Outcome::failed;
}

void Manager::learn(const Write& write, json answer) {
  const auto found = informers_.find(write.kind);
  if (found == informers_.end()) return;
  auto& informer = found->second;
  constexpr std::string_view kBinding = "/binding";
  if (write.target.ends_with(kBinding)) {
    // The answer is a Status; the next pod's place depends on this one's.
    auto bound = client_.ask("GET", write.target.substr(0, write.target.size() - kBinding.size()));
    if (bound.good()) informer.note(std::move(bound.body));
    return;
  }
  const bool is_object = kube::text_at(answer, "kind") == write.kind->kind;
  if (is_object && kube::is_gone(*write.kind, answer))
    informer.forget(answer);
  else if (is_object)
    informer.note(std::move(answer));
  else if (write.removed.is_object())
    informer.forget(write.removed);
}

void Manager::fail(const Item& item, const std::string& why) {
  const int times = failures_[item]++;
  spdlog::warn("{} {}: {}", item.controller->name, item.key, why);
  const auto pause = std::min(kLongestPause, kFirstPause * (1 << std::min(times, 20)));
  enqueue_at(item, steady_clock::now() + pause);
}

void Manager::enqueue_at(const Item& item, steady_clock::time_point time) {
  const auto [place, is_new] = due_.try_emplace(item, time);
  if (!is_new) place->second = std::min(place->second, time);
  wait_for_due();
}

void Manager::wait_for_due() {
  if (due_.empty()) return;
  const auto first = std::ranges::min_element(due_, {}, [](const auto& each) { return each.second; });
  timer_.expires_at(first->second);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const auto now = steady_clock::now();
    for (auto each = due_.begin(); each != due_.end();) {
      if (each->second > now) {
        ++each;
        continue;
      }
      enqueue(each->first);
      each = due_.erase(each);
    }
    wait_for_due();
  });
}

}  // namespace knetsim::controllers
