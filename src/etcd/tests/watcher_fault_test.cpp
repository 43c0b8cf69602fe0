// The watcher against servers that misbehave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "cluster_test.h"
#include "fake_server.h"
#include "knetsim/etcd/sync_client.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::etcd {
namespace {

using test::chunk;
using test::chunked_head;
using test::FakeServer;
using test::http_answer;
using test::kPatience;
using test::Reply;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using testing::ThrowsMessage;
using namespace std::chrono_literals;
using Then = Reply::Then;

constexpr const char* kCreated = R"({"result":{"header":{"revision":"10"},"created":true}})"
                                 "\n";

/// One answer with a put of "/w/<revision>" for each revision. "L3cv" is base64 of "/w/".
std::string events_line(Revision store, const std::vector<Revision>& revisions) {
  std::string events;
  for (const Revision revision : revisions) {
    events += std::string(events.empty() ? "" : ",") + R"({"kv":{"key":"L3cv","value":"eA==","mod_revision":")" +
              std::to_string(revision) + "\"}}";
  }
  return R"({"result":{"header":{"revision":")" + std::to_string(store) + R"("},"events":[)" + events + "]}}\n";
}

std::string start_revision_in(const std::string& request) {
  const auto at = request.find("\"start_revision\":\"");
  if (at == std::string::npos) return "none";
  return request.substr(at + 18, request.find('"', at + 18) - at - 18);
}

class FaultyWatch : public testing::Test {
 protected:
  SyncWatcher watch(std::vector<std::string> endpoints, Revision from = 0) {
    ClientOptions options;
    options.endpoints = std::move(endpoints);
    options.request_timeout = request_timeout_;
    WatchOptions watch;
    watch.prefix = "/w/";
    watch.from = from;
    watch.min_backoff = 1ms;
    watch.max_backoff = 8ms;
    watch.on_interruption = [this](const std::string& reason, std::chrono::milliseconds delay) {
      reasons_.push_back(reason);
      delays_.push_back(delay.count());
    };
    return SyncClient(netns_, std::move(options)).watch(std::move(watch), kPatience);
  }
  static std::vector<Revision> take(SyncWatcher& watcher, std::size_t count) {
    std::vector<Revision> revisions;
    while (revisions.size() < count) {
      const auto batch = watcher.next(kPatience);
      if (!batch) break;
      for (const Event& event : batch->events) revisions.push_back(event.kv.mod_revision);
    }
    return revisions;
  }
  const NetNs& netns() const { return netns_; }

  void limit_requests(std::chrono::milliseconds limit) { request_timeout_ = limit; }
  /// Of the interruptions so far.
  std::vector<std::string>& reasons() { return reasons_; }
  const std::vector<long>& delays() const { return delays_; }

 private:
  std::chrono::milliseconds request_timeout_{20'000};
  std::vector<std::string> reasons_;
  std::vector<long> delays_;
  NetNs netns_ = NetNs::create();
};

TEST_F(FaultyWatch, AsksForALeaderAndForTheRevisionsItWants) {
  FakeServer server(netns(), {{{chunked_head() + chunk(kCreated)}, Then::hold}});
  watch({server.url()}, 5);
  EXPECT_THAT(server.requests().at(0),
              AllOf(StartsWith("POST /v3/watch HTTP/1.1\r\n"), HasSubstr("Grpc-Metadata-hasleader: true\r\n")));
  EXPECT_EQ(start_revision_in(server.requests().at(0)), "5");
}

TEST_F(FaultyWatch, LinesAreFoundHoweverTheyAreCut) {
  const std::string stream = kCreated + events_line(11, {11}) + events_line(13, {12, 13});
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{64}, stream.size()}) {
    Reply reply{{chunked_head()}, Then::hold};
    for (std::size_t at = 0; at < stream.size(); at += size) reply.pieces.push_back(chunk(stream.substr(at, size)));
    FakeServer server(netns(), {reply});
    SyncWatcher watcher = watch({server.url()});
    EXPECT_THAT(take(watcher, 3), ElementsAre(11, 12, 13)) << size;
  }
}

TEST_F(FaultyWatch, ATruncatedStreamIsTakenUpAfterTheLastWholeLine) {
  const std::string half = events_line(12, {12}).substr(0, 60);
  for (const Then then : {Then::close, Then::reset}) {
    FakeServer server(netns(), {{{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11})) + chunk(half)}, then},
                                {{chunked_head() + chunk(kCreated) + chunk(events_line(12, {12}))}, Then::hold}});
    SyncWatcher watcher = watch({server.url()});
    if (then == Then::close) {
      EXPECT_THAT(take(watcher, 2), ElementsAre(11, 12));
      EXPECT_EQ(start_revision_in(server.requests().at(1)), "12");
    } else {
      // A reset may throw away what the kernel has received and nobody has read; etcd sends that again.
      const auto seen = take(watcher, 1);
      ASSERT_THAT(seen, SizeIs(1));
      EXPECT_THAT(seen[0], testing::AnyOf(11, 12));
    }
  }
}

TEST_F(FaultyWatch, AStreamThatEndsInOrderIsTakenUpToo) {
  FakeServer server(netns(), {{{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11})) + "0\r\n\r\n"}},
                              {{chunked_head() + chunk(kCreated) + chunk(events_line(12, {12}))}, Then::hold}});
  SyncWatcher watcher = watch({server.url()});
  EXPECT_THAT(take(watcher, 2), ElementsAre(11, 12));
}

TEST_F(FaultyWatch, TakesUpAfterTheLastEventAndNotAfterTheStoresRevision) {
  // A server that catches up sends its own revision, 99, with events that are only at 11.
  FakeServer server(netns(), {{{chunked_head() + chunk(kCreated) + chunk(events_line(99, {11}))}},
                              {{chunked_head() + chunk(kCreated) + chunk(events_line(99, {12}))}, Then::hold}});
  SyncWatcher watcher = watch({server.url()});
  EXPECT_THAT(take(watcher, 2), ElementsAre(11, 12));
  EXPECT_EQ(start_revision_in(server.requests().at(1)), "12");
}

TEST_F(FaultyWatch, AProgressNotificationSavesWatchingFromTheLastEvent) {
  const std::string progress = R"({"result":{"header":{"revision":"50"}}})"
                               "\n";
  FakeServer server(netns(), {{{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11})) + chunk(progress)}},
                              {{chunked_head() + chunk(kCreated) + chunk(events_line(51, {51}))}, Then::hold}});
  SyncWatcher watcher = watch({server.url()});
  EXPECT_THAT(take(watcher, 2), ElementsAre(11, 51));
  EXPECT_EQ(start_revision_in(server.requests().at(1)), "51");
}

TEST_F(FaultyWatch, WithoutEventsItIsTakenUpFromWhereItWasAccepted) {
  FakeServer server(netns(), {{{chunked_head() + chunk(kCreated)}},
                              {{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11}))}, Then::hold}});
  SyncWatcher watcher = watch({server.url()});
  EXPECT_THAT(take(watcher, 1), ElementsAre(11));
  EXPECT_EQ(start_revision_in(server.requests().at(0)), "none");
  EXPECT_EQ(start_revision_in(server.requests().at(1)), "11");
}

TEST_F(FaultyWatch, EventsThatAServerRepeatsAreDropped) {
  FakeServer server(netns(), {{{chunked_head() + chunk(kCreated) + chunk(events_line(12, {11, 12}))}},
                              {{chunked_head() + chunk(kCreated) + chunk(events_line(13, {11, 12, 13}))}, Then::hold}});
  SyncWatcher watcher = watch({server.url()});
  EXPECT_THAT(take(watcher, 3), ElementsAre(11, 12, 13));
}

TEST_F(FaultyWatch, GarbageIsAnInterruptionWithAReason) {
  for (const std::string& garbage :
       {std::string("<html>\n"), std::string("{\"result\":7}\n"), std::string("{\"result\":{\"events\":[{}]}}\n{\n"),
        std::string("{\"result\":{\"events\":[{\"type\":\"MOVE\",\"kv\":{}}]}}\n")}) {
    reasons().clear();
    FakeServer server(netns(), {{{chunked_head() + chunk(kCreated) + chunk(garbage)}, Then::hold},
                                {{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11}))}, Then::hold}});
    SyncWatcher watcher = watch({server.url()});
    EXPECT_THAT(take(watcher, 1), ElementsAre(11)) << garbage;
    EXPECT_THAT(reasons(), Each(HasSubstr("isn't etcd's"))) << garbage;
  }
}

TEST_F(FaultyWatch, AnswersThatArentAStreamArePassedOver) {
  for (const std::string& answer :
       {http_answer(503, R"({"error":"etcdserver: no leader","code":14})"), http_answer(404, "404 page not found\n"),
        std::string("SSH-2.0-x\r\n"), std::string(), http_answer(502, "")}) {
    reasons().clear();
    FakeServer bad(netns(), {{{answer}}});
    FakeServer good(netns(), {{{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11}))}, Then::hold}});
    SyncWatcher watcher = watch({bad.url(), good.url()});
    EXPECT_THAT(take(watcher, 1), ElementsAre(11)) << answer;
    EXPECT_THAT(reasons(), SizeIs(0)) << "the next endpoint is tried without delay";
  }
}

TEST_F(FaultyWatch, BacksOffMoreAndMoreWhileNobodyAnswersAndAfreshAfterAnEvent) {
  const Reply closed{{}, Then::close};
  const Reply event{{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11}))}, Then::close};
  const Reply good{{chunked_head() + chunk(kCreated) + chunk(events_line(12, {12}))}, Then::hold};
  FakeServer server(netns(), {closed, closed, closed, closed, closed, event, closed, good});
  SyncWatcher watcher = watch({server.url()});
  EXPECT_THAT(take(watcher, 2), ElementsAre(11, 12));
  EXPECT_THAT(delays(), ElementsAre(1, 2, 4, 8, 8, 1, 2));
}

TEST_F(FaultyWatch, ALeaderThatIsLostInTheStreamIsAnInterruption) {
  const std::string lost = R"({"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}})"
                           "\n";
  FakeServer server(netns(), {{{chunked_head() + chunk(kCreated) + chunk(lost)}, Then::hold},
                              {{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11}))}, Then::hold}});
  SyncWatcher watcher = watch({server.url()});
  EXPECT_THAT(take(watcher, 1), ElementsAre(11));
  EXPECT_THAT(reasons(), ElementsAre("etcdserver: no leader"));
}

TEST_F(FaultyWatch, EventsBeforeACompactionAreDeliveredBeforeItIsTold) {
  const std::string compacted =
      R"({"result":{"header":{"revision":"90"},"canceled":true,"compact_revision":"80","cancel_reason":"compacted"}})"
      "\n";
  FakeServer server(netns(), {{{chunked_head() + chunk(kCreated + events_line(11, {11}) + compacted)}, Then::hold}});
  SyncWatcher watcher = watch({server.url()});
  EXPECT_THAT(take(watcher, 1), ElementsAre(11));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT([&] { watcher.next(kPatience); },
                testing::Throws<Compacted>(testing::Property(&Compacted::compact_revision, 80)));
  }
  EXPECT_THAT(server.requests(), SizeIs(1));
}

TEST_F(FaultyWatch, AWatchThatIsCancelledForAnotherReasonIsAskedForAgain) {
  const std::string cancelled = R"({"result":{"header":{"revision":"10"},"canceled":true}})"
                                "\n";
  FakeServer server(netns(), {{{chunked_head() + chunk(kCreated) + chunk(cancelled)}, Then::hold},
                              {{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11}))}, Then::hold}});
  SyncWatcher watcher = watch({server.url()});
  EXPECT_THAT(take(watcher, 1), ElementsAre(11));
  EXPECT_THAT(reasons(), ElementsAre(HasSubstr("cancelled the watch")));
}

TEST_F(FaultyWatch, ARequestThatIsRefusedForGoodEndsTheWatch) {
  FakeServer server(netns(), {{{http_answer(400, R"({"error":"etcdserver: duplicate key","code":3})")}}});
  EXPECT_THAT([&] { watch({server.url()}); },
              ThrowsMessage<Error>(AllOf(HasSubstr(server.url()), HasSubstr("duplicate key"))));
}

TEST_F(FaultyWatch, AServerThatNeverAcceptsIsLeftAtTheLimit) {
  limit_requests(100ms);
  FakeServer mute(netns(), {{{}, Then::hold}});
  FakeServer half(netns(), {{{chunked_head()}, Then::hold}});
  FakeServer good(netns(), {{{chunked_head() + chunk(kCreated) + chunk(events_line(11, {11}))}, Then::hold}});
  SyncWatcher watcher = watch({mute.url(), half.url(), good.url()});
  EXPECT_THAT(take(watcher, 1), ElementsAre(11));
  EXPECT_THAT(reasons(), testing::Contains(HasSubstr("wasn't accepted within 100 ms")));
}

}  // namespace
}  // namespace knetsim::etcd
