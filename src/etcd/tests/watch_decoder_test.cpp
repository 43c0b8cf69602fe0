// What is made of a watch's messages, whatever stream they come from.
#include "../watch_decoder.h"

#include <gmock/gmock.h>

#include <string>

namespace knetsim::etcd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string message(const std::string& result, const std::string& revision) {
  return R"({"result":{"header":{"revision":")" + revision + "\"}," + result + "}}";
}

std::string put_at(const std::string& revision) {
  // The key is "/k" in base64.
  return R"({"kv":{"key":"L2s=","value":"dg==","mod_revision":")" + revision + "\"}}";
}

WatchDecoder decoder_from(Revision from) {
  return WatchDecoder(from, [](std::string answer) {
    return Diagnosis{.where = "etcd", .tried = "watch", .answer = std::move(answer)};
  });
}

std::string reason_of(const WatchDecoder& decoder) {
  if (!decoder.over()) return "not over";
  try {
    std::rethrow_exception(decoder.over());
  } catch (const std::exception& error) {
    return error.what();
  }
}

TEST(WatchDecoder, BeginsAtTheRevisionAtWhichTheWatchWasAccepted) {
  auto decoder = decoder_from(0);
  EXPECT_FALSE(decoder.accepted());
  EXPECT_EQ(decoder.take(message("\"created\":true", "7")), std::nullopt);
  EXPECT_TRUE(decoder.stream_accepted());
  EXPECT_EQ(decoder.next(), 8);
  decoder.begin_stream();
  EXPECT_FALSE(decoder.stream_accepted());
  EXPECT_TRUE(decoder.accepted());
}

TEST(WatchDecoder, PassesNoEventOnTwiceThoughTheNextStreamRepeatsIt) {
  auto decoder = decoder_from(5);
  EXPECT_EQ(decoder.take(message("\"events\":[" + put_at("5") + "," + put_at("6") + "]", "9")), std::nullopt);
  decoder.begin_stream();
  EXPECT_EQ(decoder.take(message("\"events\":[" + put_at("6") + "," + put_at("7") + "]", "9")), std::nullopt);
  ASSERT_THAT(decoder.ready(), SizeIs(2));
  EXPECT_EQ(decoder.ready()[0].revision, 6);
  ASSERT_THAT(decoder.ready()[1].events, SizeIs(1));
  EXPECT_EQ(decoder.ready()[1].events[0].kv.mod_revision, 7);
  EXPECT_EQ(decoder.next(), 8);
}

TEST(WatchDecoder, MovesOnWithAProgressNotificationAlone) {
  auto decoder = decoder_from(5);
  // The store is at 9, but the events say how far this watch is.
  EXPECT_EQ(decoder.take(message("\"events\":[" + put_at("6") + "]", "9")), std::nullopt);
  EXPECT_EQ(decoder.next(), 7);
  EXPECT_EQ(decoder.take(message("\"watch_id\":\"0\"", "9")), std::nullopt);
  EXPECT_EQ(decoder.next(), 10);
}

TEST(WatchDecoder, IsOverWhenItsRevisionsAreGoneAndNotWhenTheServerMerelyCancels) {
  auto decoder = decoder_from(5);
  EXPECT_THAT(decoder.take(message(R"("canceled":true,"cancel_reason":"no leader")", "9")).value_or(""),
              HasSubstr("no leader"));
  EXPECT_EQ(reason_of(decoder), "not over");
  EXPECT_NE(decoder.take(message(R"("canceled":true,"compact_revision":"8")", "9")), std::nullopt);
  EXPECT_THAT(reason_of(decoder), HasSubstr("revision 5 was compacted (now at 8)"));
}

TEST(WatchDecoder, IsOverWhenEveryServerWouldRefuse) {
  auto decoder = decoder_from(5);
  decoder.take_refusal("a proxy's page");
  decoder.take_refusal(R"({"error":"etcdserver: no leader","code":14})");
  EXPECT_EQ(reason_of(decoder), "not over");
  decoder.take_refusal(R"({"error":"etcdserver: permission denied","code":7})");
  EXPECT_THAT(reason_of(decoder), HasSubstr("permission denied"));
}

TEST(WatchDecoder, QuotesWhatIsNotEtcds) {
  auto decoder = decoder_from(5);
  EXPECT_THAT(decoder.take("<html>").value_or(""), HasSubstr("isn't etcd's"));
  EXPECT_THAT(decoder.take("<html>").value_or(""), HasSubstr("\"<html>\""));
  EXPECT_THAT(decoder.ready(), IsEmpty());
}

}  // namespace
}  // namespace knetsim::etcd
