// The client against servers that misbehave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
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
  EXPECT_THAT(complaint(http_answer(200, R"({"kvs":[{"key":"!"}]})")), HasSubstr("\"key\" isn't base64"));
  EXPECT_THAT(complaint(http_answer(200, R"({"kvs":{}})")), HasSubstr("\"kvs\" isn't an array"));
  EXPECT_THAT(complaint(http_answer(200, R"({"kvs":[7]})")), HasSubstr("isn't in an object"));
  EXPECT_THAT(complaint(http_answer(500, R"({"whatever":1})")), HasSubstr("HTTP 500"));
  EXPECT_THAT(complaint(http_answer(200, "\x01\x02" + std::string(5000, 'x'))), SizeIs(testing::Lt(500U)));
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
