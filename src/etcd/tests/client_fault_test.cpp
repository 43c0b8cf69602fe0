// The client against servers that misbehave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "fake_server.h"
#include "knetsim/etcd/sync_client.h"
#include "knetsim/sys/eventually.h"

namespace knetsim::etcd {
namespace {

using test::chunk;
using test::chunked_head;
using test::FakeServer;
using test::http_answer;
using test::Reply;
using testing::HasSubstr;
using testing::Property;
using testing::SizeIs;
using testing::Throws;
using testing::ThrowsMessage;
using namespace std::chrono_literals;
using Then = Reply::Then;

// "v" under "k" at revision 7.
constexpr const char* kValue =
    R"({"header":{"revision":"7"},"kvs":[{"key":"aw==","value":"dg==","mod_revision":"7","version":"1"}],"count":"1"})";
constexpr const char* kDone = R"({"header":{"revision":"8"}})";
constexpr const char* kNobody = "http://127.0.0.1:1";

class FaultyServer : public testing::Test {
 protected:
  SyncClient client(std::vector<std::string> endpoints) {
    ClientOptions options;
    options.endpoints = std::move(endpoints);
    options.request_timeout = request_timeout_;
    return SyncClient(netns_, std::move(options));
  }
  const NetNs& netns() const { return netns_; }
  void limit_requests(std::chrono::milliseconds limit) { request_timeout_ = limit; }

 private:
  std::chrono::milliseconds request_timeout_{20'000};
  NetNs netns_ = NetNs::create();
};

TEST_F(FaultyServer, NobodyListeningIsNamedWithTheReason) {
  EXPECT_THAT([&] { client({kNobody}).get("k"); },
              Throws<Unavailable>(AllOf(Property(&Unavailable::maybe_applied, false),
                                        Property(&Error::what, HasSubstr("http://127.0.0.1:1: Connection refused")))));
  EXPECT_THAT([&] { client({kNobody}).put("k", "v"); },
              Throws<Unavailable>(Property(&Unavailable::maybe_applied, false)));
}

TEST_F(FaultyServer, EveryEndpointThatFailedIsNamed) {
  EXPECT_THAT(
      [&] {
        client({kNobody, "http://127.0.0.1:2"}).get("k");
      },
      ThrowsMessage<Unavailable>(AllOf(HasSubstr("127.0.0.1:1: "), HasSubstr("127.0.0.1:2: "))));
}

TEST_F(FaultyServer, AnUnreachableEndpointIsPassedOverAndRememberedAsSuch) {
  FakeServer server(netns(), {{{http_answer(200, kValue)}}});
  SyncClient etcd = client({kNobody, server.url()});
  EXPECT_EQ(etcd.get("k")->value, "v");
  EXPECT_EQ(etcd.get("k")->value, "v");
  EXPECT_THAT(server.requests(), SizeIs(2));
}

TEST_F(FaultyServer, AChangeIsSentToTheNextEndpointOnlyIfTheFirstGotNothing) {
  FakeServer server(netns(), {{{http_answer(200, kDone)}}});
  EXPECT_EQ(client({kNobody, server.url()}).put("k", "v"), 8);

  FakeServer silent(netns(), {{{}, Then::close}});
  EXPECT_THAT(
      [&] {
        client({silent.url(), server.url()}).put("k", "v");
      },
      Throws<Unavailable>(Property(&Unavailable::maybe_applied, true)));
  EXPECT_THAT(server.requests(), SizeIs(1)) << "what may have been done isn't done twice";
}

TEST_F(FaultyServer, AReadIsRepeatedAtTheNextEndpointWhenItsAnswerIsLost) {
  FakeServer good(netns(), {{{http_answer(200, kValue)}}});
  const std::string half = http_answer(200, kValue).substr(0, 150);
  for (const Reply& reply :
       {Reply{{}, Then::close}, Reply{{}, Then::reset}, Reply{{half}, Then::close},
        Reply{{chunked_head() + "10\r\n{\"header\""}, Then::close}, Reply{{"SSH-2.0-OpenSSH_9.2\r\n"}, Then::close}}) {
    FakeServer bad(netns(), {reply});
    EXPECT_EQ(client({bad.url(), good.url()}).get("k")->value, "v");
    EXPECT_THAT(bad.requests(), SizeIs(1));
  }
}

TEST_F(FaultyServer, AReadIsRepeatedAtTheNextEndpointWhenOneSaysItIsUnavailable) {
  FakeServer bad(netns(), {{{http_answer(503, R"({"error":"etcdserver: no leader","code":14})")}}});
  FakeServer good(netns(), {{{http_answer(200, kValue)}}});
  EXPECT_EQ(client({bad.url(), good.url()}).get("k")->value, "v");
  EXPECT_THAT([&] { client({bad.url()}).get("k"); }, ThrowsMessage<Unavailable>(HasSubstr("etcdserver: no leader")));
  EXPECT_THAT(
      [&] {
        client({bad.url(), good.url()}).put("k", "v");
      },
      Throws<Unavailable>(Property(&Unavailable::maybe_applied, true)));
}

TEST_F(FaultyServer, AnAnswerThatNeverComesEndsAtTheLimit) {
  FakeServer silent(netns(), {{{}, Then::hold}});
  limit_requests(100ms);
  EXPECT_THAT([&] { client({silent.url()}).get("k"); },
              ThrowsMessage<Unavailable>(HasSubstr("no answer within 100 ms")));
  FakeServer half(netns(), {{{http_answer(200, kValue).substr(0, 120)}, Then::hold}});
  EXPECT_THAT([&] { client({half.url()}).get("k"); }, ThrowsMessage<Unavailable>(HasSubstr("no answer within 100 ms")));
}

TEST_F(FaultyServer, AnswersThatArentEtcdsAreQuoted) {
  const auto complaint = [&](const std::string& answer) {
    FakeServer server(netns(), {{{answer}}});
    try {
      client({server.url()}).get("k");
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(server.url() + ": can't call /v3/kv/range: "));
      return std::string(error.what());
    }
    return std::string("no complaint");
  };
  EXPECT_THAT(complaint(http_answer(200, "<html>It works!</html>")), HasSubstr("<html>It works!</html>"));
  EXPECT_THAT(complaint(http_answer(404, "404 page not found\nmore")), HasSubstr("HTTP 404"));
  EXPECT_THAT(complaint(http_answer(200, "")), HasSubstr("nothing"));
  EXPECT_THAT(complaint(http_answer(200, "[]")), HasSubstr("isn't a JSON object"));
  EXPECT_THAT(complaint(http_answer(200, R"({"header":{"revision":"7"},"kvs":[{"key":"!"}]})")),
              HasSubstr("/kvs/0/key: \"!\": isn't base64"));
  EXPECT_THAT(complaint(http_answer(200, R"({"header":{"revision":"7"},"kvs":{}})")),
              HasSubstr("/kvs: {}: is an object, must be an array"));
  EXPECT_THAT(complaint(http_answer(200, R"({"header":{"revision":"7"},"kvs":[7]})")),
              HasSubstr("/kvs/0: 7: is a number, must be an object"));
  EXPECT_THAT(complaint(http_answer(500, R"({"whatever":1})")), HasSubstr("HTTP 500"));
  EXPECT_THAT(complaint(http_answer(200, "\x01\x02" + std::string(5000, 'x'))), SizeIs(testing::Lt(500U)));
}

using Asking = std::function<void(SyncClient&)>;

Txn put_and_list() {
  return {.compares = {absent("k")}, .then = {Put{"k", "v"}, Get{"p/", true}}, .otherwise = {Remove{"k"}, Get{"k"}}};
}

/// Every call whose answer carries a header.
const std::vector<std::pair<const char*, Asking>>& calls() {
  static const std::vector<std::pair<const char*, Asking>> all{
      {"get", [](SyncClient& etcd) { etcd.get("k"); }},
      {"list", [](SyncClient& etcd) { etcd.list("p/"); }},
      {"put", [](SyncClient& etcd) { etcd.put("k", "v"); }},
      {"remove", [](SyncClient& etcd) { etcd.remove("k"); }},
      {"remove_prefix", [](SyncClient& etcd) { etcd.remove_prefix("p/"); }},
      {"txn", [](SyncClient& etcd) { etcd.txn(put_and_list()); }},
      {"grant", [](SyncClient& etcd) { etcd.grant(60s); }},
      {"keep_alive", [](SyncClient& etcd) { etcd.keep_alive(7); }},
      {"time_to_live", [](SyncClient& etcd) { etcd.time_to_live(7); }},
      {"revoke", [](SyncClient& etcd) { etcd.revoke(7); }},
      {"compact", [](SyncClient& etcd) { etcd.compact(7); }},
      {"status", [](SyncClient& etcd) { etcd.status(); }},
  };
  return all;
}

/// What the client says of an answer, or that it took it.
std::string said_of(SyncClient etcd, const Asking& ask) {
  try {
    ask(etcd);
  } catch (const Unavailable& error) {
    return std::string("unavailable: ") + error.what();
  } catch (const Error& error) {
    return error.what();
  }
  return "taken";
}

std::string nested(const std::string& before, const std::string& after = {}) {
  return before + std::string(100'000, '[') + std::string(100'000, ']') + after;
}

TEST_F(FaultyServer, NoCallTakesAnAnswerOfAnotherShape) {
  for (const std::string& answer :
       {std::string("[]"), std::string("{}"), std::string("null"), std::string(R"({"header":[]})"),
        std::string(R"({"header":{"revision":"-1"},"result":{"header":{"revision":"-1"}}})"),
        std::string(R"({"header":{"revision":"9223372036854775807"}})"), std::string(R"({"header":{"revision":1e99}})"),
        std::string(R"({"header":{"revision":18446744073709551615}})"), std::string(R"({"header":{"revision":{}}})"),
        nested(""), nested(R"({"header":{"revision":"7"},"more":)", "}"), nested(R"({"header":)", "}")}) {
    FakeServer server(netns(), {{{http_answer(200, answer)}}});
    for (const auto& [name, ask] : calls())
      EXPECT_THAT(said_of(client({server.url()}), ask),
                  AllOf(HasSubstr(server.url() + ": can't call /v3/"), SizeIs(testing::Lt(600U))))
          << name << " and " << answer.substr(0, 60);
  }
}

struct WrongAnswer {
  const char* name;
  Asking ask;
  std::string answer;
  std::string complaint;
  friend void PrintTo(const WrongAnswer& wrong, std::ostream* out) { *out << wrong.name; }
};

class WrongAnswers : public FaultyServer, public testing::WithParamInterface<WrongAnswer> {};

TEST_P(WrongAnswers, AreNamedAsSuch) {
  const auto& [name, ask, answer, complaint] = GetParam();
  FakeServer server(netns(), {{{http_answer(200, answer)}}});
  EXPECT_THAT(said_of(client({server.url()}), ask),
              AllOf(HasSubstr("an answer that isn't etcd's: "), HasSubstr(complaint)));
}

const std::string kHeader = R"({"header":{"revision":"7"})";
const std::string kPut = R"({"response_put":{"header":{"revision":"7"}}})";
const std::string kRange = R"({"response_range":{"header":{"revision":"7"}}})";
const std::string kRemoved = R"({"response_delete_range":{"header":{"revision":"7"}}})";

WrongAnswer wrong_txn(const char* name, const std::string& rest, const std::string& complaint) {
  return {name, [](SyncClient& etcd) { etcd.txn(put_and_list()); }, kHeader + rest + "}", complaint};
}

WrongAnswer wrong_ttl(const char* name, const std::string& ttl) {
  return {name, [](SyncClient& etcd) { etcd.grant(60s); }, kHeader + R"(,"ID":"5","TTL":)" + ttl + "}", "/TTL"};
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongAnswers,
    testing::Values(
        wrong_txn("TxnWithoutResponses", R"(,"succeeded":true)", "/responses"),
        wrong_txn("TxnFailedWithoutResponses", "", "/responses"),
        wrong_txn("TxnWithOneResponse", R"(,"succeeded":true,"responses":[)" + kPut + "]", "/responses"),
        wrong_txn("TxnWithThreeResponses",
                  R"(,"succeeded":true,"responses":[)" + kPut + "," + kRange + "," + kRange + "]", "/responses"),
        wrong_txn("TxnInAnotherOrder", R"(,"succeeded":true,"responses":[)" + kRange + "," + kPut + "]",
                  "/response_put"),
        wrong_txn("TxnOfTheOtherBranch", R"(,"succeeded":true,"responses":[)" + kRemoved + "," + kRange + "]",
                  "/response_put"),
        wrong_txn("TxnFailedWithTheOtherBranch", R"(,"responses":[)" + kPut + "," + kRange + "]",
                  "/response_delete_range"),
        wrong_txn("TxnWithNulls", R"(,"succeeded":true,"responses":[null,null])", "/responses/0: null: is null"),
        wrong_txn("TxnWithEmptyResponses", R"(,"succeeded":true,"responses":[{},{}])", "/response_put"),
        wrong_txn("TxnWithAnotherPrefix",
                  R"(,"succeeded":true,"responses":[)" + kPut + R"(,{"response_range":{"kvs":[{"key":"aw=="}]}}])",
                  "what was asked for"),
        wrong_txn("TxnWithResponsesAsAnObject", R"(,"succeeded":true,"responses":{})", "/responses"),
        wrong_ttl("NoTtl", "\"0\""), wrong_ttl("NegativeTtl", "\"-1\""),
        wrong_ttl("EndlessTtl", "\"9223372036854775807\""), wrong_ttl("LongTtl", "\"9000000001\""),
        wrong_ttl("TextTtl", "\"soon\""), wrong_ttl("TtlInAList", "[60]"), wrong_ttl("FractionOfATtl", "0.5"),
        WrongAnswer{"NoLeaseId", [](SyncClient& etcd) { etcd.grant(60s); }, kHeader + R"(,"TTL":"60"})", "/ID"},
        WrongAnswer{"EndlessKeepAlive", [](SyncClient& etcd) { etcd.keep_alive(5); },
                    R"({"result":{"header":{"revision":"7"},"TTL":"9223372036854775807"}})", "/TTL"},
        WrongAnswer{"KeepAliveWithoutAResult", [](SyncClient& etcd) { etcd.keep_alive(5); }, kHeader + "}", "/result"},
        WrongAnswer{"EndlessTimeToLive", [](SyncClient& etcd) { etcd.time_to_live(5); },
                    kHeader + R"(,"TTL":"9223372036854775807"})", "/TTL"},
        WrongAnswer{"AnotherKey", [](SyncClient& etcd) { etcd.get("k"); }, kHeader + R"(,"kvs":[{"key":"eA=="}]})",
                    "what was asked for"},
        WrongAnswer{"TwoKeys", [](SyncClient& etcd) { etcd.get("k"); },
                    kHeader + R"(,"kvs":[{"key":"aw=="},{"key":"aw=="}]})", "one key"},
        WrongAnswer{"AnotherPrefix", [](SyncClient& etcd) { etcd.list("p/"); }, kHeader + R"(,"kvs":[{"key":"aw=="}]})",
                    "what was asked for"},
        WrongAnswer{"EndlessRevision", [](SyncClient& etcd) { etcd.get("k"); },
                    kHeader + R"(,"kvs":[{"key":"aw==","mod_revision":"9223372036854775807"}]})",
                    "/kvs/0/mod_revision: "},
        WrongAnswer{"MembersAsAnObject", [](SyncClient& etcd) { etcd.members(); }, R"({"members":{}})", "/members"},
        WrongAnswer{"MembersThatAreNumbers", [](SyncClient& etcd) { etcd.members(); }, R"({"members":[7]})",
                    "/members/0: 7: "},
        WrongAnswer{"LeaderThatIsNegative", [](SyncClient& etcd) { etcd.status(); }, kHeader + R"(,"leader":-1})",
                    "/leader: -1: "}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(FaultyServer, AnAnswerWithoutEndIsGivenUp) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
  FakeServer server(netns(), {{{head, std::string(40UL << 20, ' ')}}});
  EXPECT_THAT(said_of(client({server.url()}), [](SyncClient& etcd) { etcd.list("p/"); }),
              AllOf(HasSubstr("unavailable: "), HasSubstr("body limit exceeded")));
}

TEST_F(FaultyServer, ARefusalIsALineOfBoundedLength) {
  const std::string endless(1UL << 20, 'x');
  FakeServer server(netns(), {{{http_answer(400, R"({"error":"no\n\u001b[31m)" + endless + R"(","code":3})")}}});
  EXPECT_THAT(said_of(client({server.url()}), [](SyncClient& etcd) { etcd.get("k"); }),
              AllOf(HasSubstr("no  [31mxxx"), SizeIs(testing::Lt(700U))));
}

TEST_F(FaultyServer, AnIdleConnectionThatWasClosedIsntUsedForAChange) {
  // The answer allows the connection to be kept, and then it is closed all the same.
  FakeServer server(netns(), {{{http_answer(200, kDone)}, Then::close}});
  SyncClient etcd = client({server.url()});
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(etcd.put("k", "v"), 8);
    eventually([&] { return server.answered() > i ? std::nullopt : std::optional<std::string>("its end"); });
  }
}

TEST_F(FaultyServer, HealthSaysWhatTheServerSaid) {
  FakeServer ill(netns(), {{{http_answer(503, R"({"health":"false"})")}}});
  EXPECT_THAT(client({ill.url()}).health().value_or(""),
              AllOf(HasSubstr(ill.url() + "/health"), HasSubstr("503"), HasSubstr(R"({"health":"false"})")));
  FakeServer strange(netns(), {{{http_answer(200, "OK")}}});
  EXPECT_THAT(client({strange.url()}).health().value_or(""), HasSubstr("OK"));
}

TEST_F(FaultyServer, TheV2StoreOfAServerWithoutOneHintsAtTheFlag) {
  FakeServer server(netns(), {{{http_answer(404, "404 page not found\n")}}});
  EXPECT_THAT([&] { client({server.url()}).put_v2("/k", "v"); }, ThrowsMessage<Error>(HasSubstr("--enable-v2")));
  EXPECT_THAT([&] { client({server.url()}).get_v2("/k"); }, ThrowsMessage<Error>(HasSubstr("--enable-v2")));
}

TEST_F(FaultyServer, SendsTheFormThatTheV2ApiWants) {
  FakeServer server(netns(), {{{http_answer(201, "{}")}}});
  client({server.url()}).put_v2("/a b/c", "x=1&y\n");
  EXPECT_THAT(server.requests().at(0), AllOf(testing::StartsWith("PUT /v2/keys/a%20b/c HTTP/1.1\r\n"),
                                             HasSubstr("Content-Type: application/x-www-form-urlencoded\r\n"),
                                             testing::EndsWith("\r\n\r\nvalue=x%3D1%26y%0A")));
}

}  // namespace
}  // namespace knetsim::etcd
