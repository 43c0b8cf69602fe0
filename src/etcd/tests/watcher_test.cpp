// The watcher against real etcd: no event lost, none doubled.
#include "knetsim/etcd/watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "cluster_test.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::etcd {
namespace {

using test::kMoment;
using test::kPatience;
using test::take;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::Property;
using testing::Throws;
using namespace std::chrono_literals;

std::vector<std::string> keys_of(const std::vector<Event>& events) {
  std::vector<std::string> keys;
  for (const Event& event : events) keys.push_back(event.kv.key);
  return keys;
}

/// "/w/<from>" ... "/w/<to - 1>"
std::vector<std::string> numbered(int from, int to) {
  std::vector<std::string> keys;
  for (int i = from; i < to; ++i) keys.push_back("/w/" + std::to_string(i));
  return keys;
}

void put_numbered(SyncClient& etcd, int from, int to) {
  for (const std::string& key : numbered(from, to)) etcd.put(key, "x");
}

/// A change that is repeated until a leader has taken it. Each key is put once even if an answer gets lost.
void put_through(SyncClient& etcd, const std::string& key) {
  eventually(
      [&]() -> std::optional<std::string> {
        try {
          etcd.txn({{absent(key)}, {Put{key, "x"}}, {}});
          return std::nullopt;
        } catch (const Error& error) {
          return error.what();
        }
      },
      kPatience);
}

class EtcdWatcher : public test::ClusterTest {};

TEST_F(EtcdWatcher, SeesPutsAndRemovesOfItsPrefixOnly) {
  boot(1);
  SyncClient etcd = client();
  SyncWatcher watcher = etcd.watch("/w/");
  const Revision created = etcd.put("/w/a", "1");
  etcd.put("/v/a", "not this");
  etcd.put("/w0", "nor this");
  const Revision removed = etcd.remove("/w/a");
  const auto events = take(watcher, 2);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].type, Event::Type::put);
  EXPECT_EQ(events[0].kv, (KeyValue{"/w/a", "1", created, created, 1, 0}));
  EXPECT_EQ(events[1].type, Event::Type::remove);
  EXPECT_EQ(events[1].kv.key, "/w/a");
  EXPECT_EQ(events[1].kv.mod_revision, removed);
  EXPECT_EQ(watcher.revision(), removed);
  EXPECT_EQ(watcher.next(kMoment), std::nullopt);
}

TEST_F(EtcdWatcher, WithoutARevisionItSeesWhatComesAndNothingOlder) {
  boot(1);
  SyncClient etcd = client();
  etcd.put("/w/old", "1");
  SyncWatcher watcher = etcd.watch("/w/");
  etcd.put("/w/new", "1");
  EXPECT_THAT(keys_of(take(watcher, 1)), ElementsAre("/w/new"));
}

TEST_F(EtcdWatcher, FromARevisionItSeesHistoryAndThenWhatComes) {
  boot(1);
  SyncClient etcd = client();
  etcd.put("/w/0", "1");
  const Listing listing = etcd.list("/w/");
  put_numbered(etcd, 1, 4);
  SyncWatcher watcher = etcd.watch("/w/", listing.revision + 1);
  put_numbered(etcd, 4, 6);
  EXPECT_THAT(keys_of(take(watcher, 5)), ElementsAreArray(numbered(1, 6)));
}

TEST_F(EtcdWatcher, DeliversEveryEventOfATransactionTogether) {
  boot(1);
  SyncClient etcd = client();
  SyncWatcher watcher = etcd.watch("/w/");
  Txn txn;
  for (const std::string& key : numbered(0, 100)) txn.then.emplace_back(Put{key, "x"});
  const Revision revision = etcd.txn(txn).revision;
  const auto batch = watcher.next(kPatience);
  ASSERT_TRUE(batch);
  EXPECT_THAT(keys_of(batch->events), ElementsAreArray(numbered(0, 100)));
  EXPECT_EQ(batch->revision, revision);
}

TEST_F(EtcdWatcher, ABurstOfAThousandEventsComesWholeAndInOrder) {
  boot(1);
  SyncClient etcd = client();
  SyncWatcher watcher = etcd.watch("/w/");
  put_numbered(etcd, 0, 1000);
  EXPECT_THAT(keys_of(take(watcher, 1000)), ElementsAreArray(numbered(0, 1000)));
  EXPECT_EQ(watcher.next(kMoment), std::nullopt);
}

TEST_F(EtcdWatcher, CatchesUpWithThousandsOfPastEvents) {
  boot(1);
  SyncClient etcd = client();
  const Revision before = etcd.list("").revision;
  put_numbered(etcd, 0, 2500);
  SyncWatcher watcher = etcd.watch("/w/", before + 1);
  EXPECT_THAT(keys_of(take(watcher, 2500)), ElementsAreArray(numbered(0, 2500)));
}

TEST_F(EtcdWatcher, DeliversHugeValues) {
  boot(1);
  SyncClient etcd = client();
  SyncWatcher watcher = etcd.watch("/w/");
  for (int i = 0; i < 8; ++i) etcd.put("/w/" + std::to_string(i), std::string(1 << 20, static_cast<char>('a' + i)));
  const auto events = take(watcher, 8);
  ASSERT_EQ(events.size(), 8U);
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(events[static_cast<std::size_t>(i)].kv.value == std::string(1 << 20, static_cast<char>('a' + i))) << i;
  }
}

TEST_F(EtcdWatcher, SeesTheEndOfALeaseAsARemoval) {
  boot(1);
  SyncClient etcd = client();
  const Lease lease = etcd.grant(1s);
  etcd.put("/w/leased", "x", lease.id);
  SyncWatcher watcher = etcd.watch("/w/");
  const auto events = take(watcher, 1);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, Event::Type::remove);
  EXPECT_EQ(events[0].kv.key, "/w/leased");
  EXPECT_EQ(etcd.time_to_live(lease.id), std::nullopt);
}

TEST_F(EtcdWatcher, TellsCompactionApartSoThatTheCallerListsAgain) {
  boot(1);
  SyncClient etcd = client();
  put_numbered(etcd, 0, 5);
  const Revision last = etcd.list("").revision;
  etcd.compact(last);
  EXPECT_THAT([&] { etcd.watch("/w/", 2).next(kPatience); },
              Throws<Compacted>(Property(&Compacted::compact_revision, last)));

  const Listing listing = etcd.list("/w/");
  SyncWatcher again = etcd.watch("/w/", listing.revision + 1);
  etcd.put("/w/new", "x");
  EXPECT_THAT(keys_of(take(again, 1)), ElementsAre("/w/new"));
}

TEST_F(EtcdWatcher, AWatchThatIsUpToDateDoesntMindACompaction) {
  boot(1);
  SyncClient etcd = client();
  SyncWatcher watcher = etcd.watch("/w/");
  put_numbered(etcd, 0, 3);
  etcd.compact(etcd.list("").revision);
  put_numbered(etcd, 3, 5);
  EXPECT_THAT(keys_of(take(watcher, 5)), ElementsAreArray(numbered(0, 5)));
}

TEST_F(EtcdWatcher, ACompactionWhileItWasCutOffIsToldToo) {
  boot(3, 1);
  SyncClient remote(lab().node(1), ClientOptions{ensemble().endpoints()});
  SyncWatcher watcher = remote.watch("/w/");
  SyncClient etcd = client();
  etcd.put("/w/0", "x");
  EXPECT_THAT(keys_of(take(watcher, 1)), ElementsAre("/w/0"));
  member(0).stop();
  member(0).restart();
  ensemble().wait_until_healthy(kPatience);
  put_numbered(etcd, 1, 5);
  etcd.compact(etcd.list("").revision);
  EXPECT_THAT(
      [&] {
        while (true) watcher.next(kPatience);
      },
      Throws<Compacted>());
}

TEST_F(EtcdWatcher, GoesOnAfterItsOnlyMemberWasRestarted) {
  boot(1);
  SyncClient etcd = client();
  SyncWatcher watcher = etcd.watch("/w/");
  for (int round = 0; round < 3; ++round) {
    put_numbered(etcd, 10 * round, 10 * round + 5);
    EXPECT_THAT(keys_of(take(watcher, 5)), ElementsAreArray(numbered(10 * round, 10 * round + 5)));
    round % 2 == 0 ? member(0).kill() : member(0).stop();
    member(0).restart();
    ensemble().wait_until_healthy(kPatience);
    put_numbered(etcd, 10 * round + 5, 10 * round + 10);
    EXPECT_THAT(keys_of(take(watcher, 5)), ElementsAreArray(numbered(10 * round + 5, 10 * round + 10)));
  }
  EXPECT_EQ(watcher.next(kMoment), std::nullopt);
}

TEST_F(EtcdWatcher, GoesOnAtAnotherMemberWhenItsOwnIsKilled) {
  boot(3);
  SyncClient etcd = client({1, 2});
  SyncWatcher watcher = client({0, 1, 2}).watch("/w/");
  put_numbered(etcd, 0, 5);
  EXPECT_THAT(keys_of(take(watcher, 5)), ElementsAreArray(numbered(0, 5)));
  member(0).kill();
  for (const std::string& key : numbered(5, 10)) put_through(etcd, key);
  EXPECT_THAT(keys_of(take(watcher, 5)), ElementsAreArray(numbered(5, 10)));
}

TEST_F(EtcdWatcher, LosesAndDoublesNothingWhileLeadersAreKilledInTurn) {
  boot(3);
  SyncClient etcd = client();
  SyncWatcher watcher = etcd.watch("/w/");
  int next = 0;
  for (int round = 0; round < 3; ++round) {
    const std::size_t led = leader();
    put_through(etcd, numbered(next, next + 1)[0]);
    member(led).kill();
    for (int i = 0; i < 5; ++i) put_through(etcd, numbered(next + 1 + i, next + 2 + i)[0]);
    next += 6;
    member(led).restart();
    ensemble().wait_until_healthy(kPatience);
  }
  EXPECT_THAT(keys_of(take(watcher, static_cast<std::size_t>(next))), ElementsAreArray(numbered(0, next)));
  EXPECT_EQ(watcher.next(kMoment), std::nullopt);
}

TEST_F(EtcdWatcher, LeavesAMemberThatHasLostItsLeader) {
  boot(3);
  // The member stays reachable for the watcher, which runs on its node, but is cut off from the others.
  ClientOptions options;
  options.endpoints = {"http://127.0.0.1:2379"};
  WatchOptions watch;
  watch.prefix = "/w/";
  std::string reason;
  watch.on_interruption = [&](const std::string& why, std::chrono::milliseconds) { reason += why + "\n"; };
  SyncWatcher watcher = SyncClient(lab().node(0), options).watch(std::move(watch), kPatience);
  lab().plug(0, false);
  eventually(
      [&]() -> std::optional<std::string> {
        watcher.next(10ms);
        if (reason.find("no leader") != std::string::npos) return std::nullopt;
        return "\"no leader\" among the interruptions: " + reason;
      },
      kPatience);
  lab().plug(0, true);
  SyncClient etcd = client();
  put_through(etcd, "/w/0");
  EXPECT_THAT(keys_of(take(watcher, 1)), ElementsAre("/w/0"));
}

TEST_F(EtcdWatcher, LeavesAMemberThatIsFrozen) {
  boot(3);
  ClientOptions options;
  options.endpoints = ensemble().endpoints();
  options.request_timeout = 1s;
  WatchOptions watch;
  watch.prefix = "/w/";
  watch.probe_after = 100ms;
  SyncWatcher watcher = SyncClient(lab().node(1), options).watch(std::move(watch), kPatience);
  member(0).process().signal(SIGSTOP);
  SyncClient etcd = client({1, 2});
  put_through(etcd, "/w/0");
  EXPECT_THAT(keys_of(take(watcher, 1)), ElementsAre("/w/0"));
  member(0).process().signal(SIGCONT);
  put_through(etcd, "/w/1");
  EXPECT_THAT(keys_of(take(watcher, 1)), ElementsAre("/w/1"));
}

TEST_F(EtcdWatcher, ASilentWatchOfALivingMemberIsntInterrupted) {
  boot(1);
  WatchOptions watch;
  watch.prefix = "/w/";
  watch.probe_after = 5ms;
  std::string reason;
  watch.on_interruption = [&](const std::string& why, std::chrono::milliseconds) { reason += why + "\n"; };
  SyncClient etcd = client();
  SyncWatcher watcher = etcd.watch(std::move(watch), kPatience);
  EXPECT_EQ(watcher.next(500ms), std::nullopt);
  EXPECT_EQ(reason, "");
  etcd.put("/w/0", "x");
  EXPECT_THAT(keys_of(take(watcher, 1)), ElementsAre("/w/0"));
}

TEST_F(EtcdWatcher, WaitsForAnEtcdThatComesLater) {
  boot(1);
  member(0).stop();
  SyncClient etcd = client();
  EXPECT_THROW(etcd.watch("/w/", 1, 200ms), StillMissing);
  member(0).restart();
  SyncWatcher watcher = etcd.watch("/w/", 1, kPatience);
  etcd.put("/w/0", "x");
  EXPECT_THAT(keys_of(take(watcher, 1)), ElementsAre("/w/0"));
}

TEST_F(EtcdWatcher, ClosingItEndsAPendingCall) {
  boot(1);
  boost::asio::io_context context(1);
  ClientOptions options;
  options.endpoints = ensemble().endpoints();
  Client etcd(context.get_executor(), options);
  Watcher watcher = etcd.watch("/w/");
  std::exception_ptr ended;
  boost::asio::co_spawn(
      context,
      [&]() -> awaitable<void> {
        co_await watcher.established();
        co_await watcher.next();
      },
      [&](std::exception_ptr error) { ended = std::move(error); });
  boost::asio::co_spawn(
      context,
      [&]() -> awaitable<void> {
        co_await etcd.put("/other", "x");
        watcher.close();
      },
      [](const std::exception_ptr& error) { EXPECT_EQ(error, nullptr); });
  lab().node(0).run([&] { context.run(); });
  ASSERT_NE(ended, nullptr);
  EXPECT_THROW(std::rethrow_exception(ended), boost::system::system_error);
}

TEST_F(EtcdWatcher, MayBeDestroyedWhileACallIsPending) {
  boot(1);
  SyncClient etcd = client();
  {
    SyncWatcher watcher = etcd.watch("/w/");
    EXPECT_EQ(watcher.next(10ms), std::nullopt);
  }
  boost::asio::io_context context(1);
  bool threw = false;
  {
    Watcher watcher(context.get_executor(), ClientOptions{ensemble().endpoints()}, WatchOptions{"/w/"});
    boost::asio::co_spawn(context, watcher.next(),
                          [&](const std::exception_ptr& error, const WatchEvents&) { threw = error != nullptr; });
    lab().node(0).run([&] { context.run_for(50ms); });
  }
  lab().node(0).run([&] { context.run(); });
  EXPECT_TRUE(threw);
}

}  // namespace
}  // namespace knetsim::etcd
