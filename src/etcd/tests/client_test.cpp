// The client against one real etcd.
#include "knetsim/etcd/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "cluster_test.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/process.h"

namespace knetsim::etcd {
namespace {

using test::kPatience;
using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Property;
using testing::Throws;
using testing::ThrowsMessage;
using namespace std::chrono_literals;

class EtcdClient : public test::ClusterTest {
 protected:
  void SetUp() override {
    boot(1);
    etcd_ = std::make_unique<SyncClient>(client());
  }
  SyncClient& etcd() { return *etcd_; }

 private:
  std::unique_ptr<SyncClient> etcd_;
};

TEST_F(EtcdClient, GetsWhatItPutWithItsRevisions) {
  const Revision created = etcd().put("/a", "one");
  const Revision changed = etcd().put("/a", "two");
  EXPECT_GT(changed, created);
  EXPECT_EQ(etcd().get("/a"), (KeyValue{"/a", "two", created, changed, 2, 0}));
}

TEST_F(EtcdClient, AnAbsentKeyIsNoErrorNeitherReadNorRemoved) {
  EXPECT_EQ(etcd().get("/none"), std::nullopt);
  EXPECT_NO_THROW(etcd().remove("/none"));
  EXPECT_NO_THROW(etcd().remove_prefix("/none"));
}

TEST_F(EtcdClient, ReadsAPrefixPageByPageAsOfOneRevision) {
  Revision last = 0;
  for (const char* key : {"/p/1", "/p/2", "/p/3", "/q"}) last = etcd().put(key, "v");
  const auto keys = [](const Page& page) {
    std::vector<std::string> all;
    for (const auto& kv : page.kvs) all.push_back(kv.key);
    return all;
  };
  const Page first = etcd().page("/p/", {.limit = 2});
  EXPECT_THAT(keys(first), ElementsAre("/p/1", "/p/2"));
  EXPECT_EQ(first.revision, last);
  EXPECT_TRUE(first.more);
  etcd().put("/p/4", "later");
  const Page second = etcd().page("/p/", {.after = "/p/2", .limit = 2, .revision = first.revision});
  EXPECT_THAT(keys(second), ElementsAre("/p/3"));
  EXPECT_EQ(second.revision, last);
  EXPECT_FALSE(second.more);
  EXPECT_THROW(etcd().page("/p/", {.after = "/q"}), InputError);
  etcd().compact(last + 1);
  EXPECT_THROW(etcd().page("/p/", {.revision = first.revision}), Compacted);
}

TEST_F(EtcdClient, RemovesOneKeyOnly) {
  etcd().put("/a", "1");
  etcd().put("/a/b", "2");
  etcd().remove("/a");
  EXPECT_EQ(etcd().get("/a"), std::nullopt);
  EXPECT_TRUE(etcd().get("/a/b"));
}

TEST_F(EtcdClient, KeepsEveryByteOfKeysAndValues) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  etcd().put("/" + bytes, bytes);
  const auto kv = etcd().get("/" + bytes);
  ASSERT_TRUE(kv);
  EXPECT_EQ(kv->key, "/" + bytes);
  EXPECT_EQ(kv->value, bytes);
}

TEST_F(EtcdClient, AnEmptyValueIsAValue) {
  etcd().put("/empty", "");
  const auto kv = etcd().get("/empty");
  ASSERT_TRUE(kv);
  EXPECT_EQ(kv->value, "");
}

TEST_F(EtcdClient, TakesAMegabyteAndSaysSoWhenEtcdFindsAValueTooLong) {
  std::string value(1 << 20, 'x');
  value[12345] = '\0';
  etcd().put("/big", value);
  EXPECT_TRUE(etcd().get("/big")->value == value);
  EXPECT_THAT([&] { etcd().put("/bigger", std::string(1'700'000, 'x')); },
              ThrowsMessage<Error>(
                  AllOf(HasSubstr("http://10.0.0.1:2379: can't call /v3/kv/put"), HasSubstr("request is too large"))));
  EXPECT_EQ(etcd().get("/bigger"), std::nullopt) << "the connection is of use after that";
}

TEST_F(EtcdClient, ListsAPrefixInOrderWithTheRevisionToWatchFrom) {
  etcd().put("/p/b", "2");
  etcd().put("/p/a", "1");
  etcd().put("/p0", "beyond");
  const Revision last = etcd().put("/o", "before");
  const Listing listing = etcd().list("/p/");
  EXPECT_EQ(listing.revision, last);
  EXPECT_THAT(listing.kvs, ElementsAre(Field(&KeyValue::key, "/p/a"), Field(&KeyValue::key, "/p/b")));
  EXPECT_EQ(etcd().list("").kvs.size(), 4U) << "the empty prefix is that of all keys";
  EXPECT_THAT(etcd().list("/none/").kvs, IsEmpty());
}

TEST_F(EtcdClient, ListsTenThousandKeys) {
  constexpr int kKeys = 10'000;
  constexpr int kPerTxn = 100;
  for (int i = 0; i < kKeys; i += kPerTxn) {
    Txn txn;
    for (int j = i; j < i + kPerTxn; ++j) txn.then.emplace_back(Put{"/k/" + std::to_string(j), std::string(100, 'v')});
    etcd().txn(txn);
  }
  EXPECT_EQ(etcd().list("/k/").kvs.size(), static_cast<std::size_t>(kKeys));
}

TEST_F(EtcdClient, RemovesAPrefix) {
  etcd().put("/p/a", "1");
  etcd().put("/p/b", "2");
  etcd().put("/q", "3");
  const Revision revision = etcd().remove_prefix("/p/");
  EXPECT_EQ(etcd().list("").revision, revision);
  EXPECT_THAT(etcd().list("").kvs, ElementsAre(Field(&KeyValue::key, "/q")));
}

TEST_F(EtcdClient, ATransactionDoesOneBranchAtOneRevision) {
  const Txn txn{{absent("/t")}, {Put{"/t", "mine"}, Put{"/u", "too"}}, {Get{"/t"}}};
  const TxnResult won = etcd().txn(txn);
  EXPECT_TRUE(won.succeeded);
  EXPECT_EQ(etcd().get("/t")->mod_revision, won.revision);
  EXPECT_EQ(etcd().get("/u")->mod_revision, won.revision);

  const TxnResult lost = etcd().txn(txn);
  EXPECT_FALSE(lost.succeeded);
  ASSERT_EQ(lost.results.size(), 1U);
  ASSERT_EQ(lost.results[0].kvs.size(), 1U);
  EXPECT_EQ(lost.results[0].kvs[0].value, "mine");
}

TEST_F(EtcdClient, ATransactionComparesEveryProperty) {
  const LeaseId lease = etcd().grant(60s).id;
  etcd().put("/k", "v");
  const Revision revision = etcd().put("/k", "value", lease);
  const auto holds = [&](Compare compare) { return etcd().txn({{std::move(compare)}, {}, {}}).succeeded; };
  using Target = Compare::Target;
  using Relation = Compare::Relation;
  EXPECT_TRUE(holds({.key = "/k", .relation = Compare::Relation::greater}));
  EXPECT_FALSE(holds(absent("/k")));
  EXPECT_TRUE(holds({.key = "/k", .target = Compare::Target::value, .operand = "value"}));
  EXPECT_FALSE(holds({.key = "/k", .target = Compare::Target::value, .operand = "v"}));
  EXPECT_TRUE(holds(mod_revision_is("/k", revision)));
  EXPECT_FALSE(holds(mod_revision_is("/k", revision - 1)));
  EXPECT_TRUE(holds({"/k", Target::version, Relation::equal, std::int64_t{2}}));
  EXPECT_TRUE(holds({"/k", Target::version, Relation::not_equal, std::int64_t{3}}));
  EXPECT_TRUE(holds({"/k", Target::create_revision, Relation::less, revision}));
  EXPECT_FALSE(holds({"/k", Target::create_revision, Relation::greater, revision}));
  EXPECT_TRUE(holds({"/k", Target::lease, Relation::equal, lease}));
  EXPECT_TRUE(holds({"/k", Target::value, Relation::less, std::string("z")}));
}

TEST_F(EtcdClient, ATransactionReadsAndRemovesPrefixes) {
  etcd().put("/p/a", "1");
  etcd().put("/p/b", "2");
  const TxnResult result = etcd().txn({{}, {Get{"/p/", true}, Remove{"/p/", true}, Remove{"/none"}}, {}});
  ASSERT_EQ(result.results.size(), 3U);
  EXPECT_EQ(result.results[0].kvs.size(), 2U);
  EXPECT_EQ(result.results[1].removed, 2);
  EXPECT_EQ(result.results[2].removed, 0);
  EXPECT_THAT(etcd().list("/p/").kvs, IsEmpty());
}

TEST_F(EtcdClient, ATransactionThatEtcdRefusesChangesNothing) {
  EXPECT_THAT(
      [&] {
        etcd().txn({{}, {Put{"/d", "1"}, Put{"/d", "2"}}, {}});
      },
      ThrowsMessage<Error>(HasSubstr("duplicate key given in txn request")));
  EXPECT_EQ(etcd().get("/d"), std::nullopt);
}

TEST_F(EtcdClient, OfManyConcurrentTransactionsForAKeyExactlyOneWins) {
  constexpr int kRacers = 32;
  boost::asio::io_context context(1);
  ClientOptions options;
  options.endpoints = ensemble().endpoints();
  Client racer(context.get_executor(), options);
  int winners = 0;
  int losers = 0;
  for (int i = 0; i < kRacers; ++i) {
    boost::asio::co_spawn(context, racer.txn({{absent("/prize")}, {Put{"/prize", std::to_string(i)}}, {}}),
                          [&](std::exception_ptr error, const TxnResult& result) {
                            if (!error) ++(result.succeeded ? winners : losers);
                          });
  }
  lab().node(0).run([&] { context.run(); });
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(losers, kRacers - 1);
  EXPECT_EQ(etcd().get("/prize")->version, 1);
}

TEST_F(EtcdClient, ALeaseTakesItsKeysWithItWhenItIsRevoked) {
  const Lease lease = etcd().grant(100s);
  EXPECT_NE(lease.id, 0);
  EXPECT_EQ(lease.ttl, 100s);
  etcd().put("/leased", "x", lease.id);
  EXPECT_EQ(etcd().get("/leased")->lease, lease.id);

  const auto state = etcd().time_to_live(lease.id);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->granted, 100s);
  EXPECT_THAT(state->remaining, AllOf(testing::Gt(50s), testing::Le(100s)));
  EXPECT_THAT(state->keys, ElementsAre("/leased"));
  EXPECT_EQ(etcd().keep_alive(lease.id), 100s);

  etcd().revoke(lease.id);
  EXPECT_EQ(etcd().get("/leased"), std::nullopt);
  EXPECT_EQ(etcd().time_to_live(lease.id), std::nullopt);
  EXPECT_EQ(etcd().keep_alive(lease.id), 0s);
  EXPECT_NO_THROW(etcd().revoke(lease.id)) << "revoked already is no error";
}

TEST_F(EtcdClient, APutWithALeaseThatIsGoneSaysNotFound) {
  EXPECT_THAT([&] { etcd().put("/k", "v", 12345); },
              Throws<Error>(AllOf(Property(&Error::code, Error::Code::not_found),
                                  Property(&Error::what, HasSubstr("requested lease not found")))));
}

TEST_F(EtcdClient, CompactsOnceAndTellsTheSecondTime) {
  etcd().put("/k", "1");
  const Revision revision = etcd().put("/k", "2");
  etcd().compact(revision);
  EXPECT_THAT([&] { etcd().compact(revision - 1); },
              Throws<Compacted>(Property(&Compacted::compact_revision, revision - 1)));
  EXPECT_THAT([&] { etcd().compact(revision + 100); },
              Throws<Error>(Property(&Error::code, Error::Code::out_of_range)));
  EXPECT_EQ(etcd().get("/k")->value, "2");
}

TEST_F(EtcdClient, TellsStatusMembersAndHealth) {
  const Status status = etcd().status();
  EXPECT_THAT(status.version, testing::StartsWith("3."));
  EXPECT_NE(status.member, 0U);
  EXPECT_EQ(status.leader, status.member);
  EXPECT_GT(status.raft_term, 0U);
  EXPECT_GT(status.db_size, 0);

  const auto members = etcd().members();
  ASSERT_EQ(members.size(), 1U);
  EXPECT_EQ(members[0].id, status.member);
  EXPECT_EQ(members[0].name, "m1");
  EXPECT_THAT(members[0].client_urls, ElementsAre("http://10.0.0.1:2379"));
  EXPECT_THAT(members[0].peer_urls, ElementsAre("http://10.0.0.1:2380"));
  EXPECT_EQ(etcd().health(), std::nullopt);
}

TEST_F(EtcdClient, TheV2StoreKeepsAnyTextUnderAPath) {
  EXPECT_EQ(etcd().get_v2("/coreos.com/network/config"), std::nullopt);
  const std::string value = R"({"Network": "11.0.0.0/8", "a&b=c": "50% + ü"})"
                            "\n";
  etcd().put_v2("/coreos.com/network/config", value);
  EXPECT_EQ(etcd().get_v2("/coreos.com/network/config"), value);
  etcd().put_v2("coreos.com/network/config", "other");
  EXPECT_EQ(etcd().get_v2("/coreos.com/network/config"), "other");
  etcd().put_v2("/odd key?#", "x");
  EXPECT_EQ(etcd().get_v2("/odd key?#"), "x");
}

TEST_F(EtcdClient, TheV2StoreRefusesADirectoryAsAValue) {
  etcd().put_v2("/dir/key", "x");
  EXPECT_THAT([&] { etcd().get_v2("/dir"); }, ThrowsMessage<Error>(HasSubstr("directory")));
  EXPECT_THAT([&] { etcd().put_v2("/dir", "x"); }, ThrowsMessage<Error>(HasSubstr("Not a file")));
  EXPECT_THAT(etcd().keys_v2("/dir"), ElementsAre("/dir/key"));
  EXPECT_THAT(etcd().keys_v2("/none"), IsEmpty());
}

TEST_F(EtcdClient, TheTwoStoresDontSeeEachOther) {
  etcd().put_v2("/both", "two");
  EXPECT_EQ(etcd().get("/both"), std::nullopt);
}

TEST_F(EtcdClient, AKeptConnectionThatTheServerClosedIsReplacedUnnoticed) {
  etcd().put("/k", "v");
  member(0).stop();
  member(0).restart();
  ensemble().wait_until_healthy(kPatience);
  EXPECT_EQ(etcd().get("/k")->value, "v");
  member(0).kill();
  member(0).restart();
  ensemble().wait_until_healthy(kPatience);
  EXPECT_NO_THROW(etcd().put("/k", "w")) << "a change too: nothing was sent on the dead connection";
}

TEST_F(EtcdClient, WorksOverTheLoopbackAddressInsideTheNode) {
  ClientOptions options;
  options.endpoints = {"http://127.0.0.1:2379"};
  EXPECT_NO_THROW(SyncClient(lab().node(0), options).put("/k", "v"));
}

TEST_F(EtcdClient, ResolvesNames) {
  ClientOptions options;
  options.endpoints = {"http://localhost:2379"};
  EXPECT_NO_THROW(SyncClient(lab().node(0), options).put("/k", "v"));
  options.endpoints = {"http://no-such-host.invalid:2379"};
  EXPECT_THAT([&] { SyncClient(lab().node(0), options).get("/k"); },
              ThrowsMessage<Unavailable>(HasSubstr("http://no-such-host.invalid:2379: ")));
}

TEST_F(EtcdClient, WithoutEndpointsIsRefused) { EXPECT_THROW(SyncClient(lab().node(0), ClientOptions()), InputError); }

}  // namespace
}  // namespace knetsim::etcd
