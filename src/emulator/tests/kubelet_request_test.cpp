#include "../kubelet_request.h"

#include <gmock/gmock.h>

#include <random>

#include "../stream_frames.h"
#include "knetsim/kube/status.h"

namespace knetsim {
namespace {

using stream_frames::Message;
using testing::ElementsAre;
using Deed = KubeletRequest::Deed;

TEST(KubeletRequests, AreReadAsAKubeletReadsThem) {
  const auto exec =
      KubeletRequest::parse("/exec/shop/web/c?command=sh&command=-c&command=a%26b&input=1&output=1&tty=1");
  EXPECT_EQ(exec.deed, Deed::exec);
  EXPECT_EQ(exec.where.ns, "shop");
  EXPECT_EQ(exec.where.pod, "web");
  EXPECT_EQ(exec.where.container, "c");
  EXPECT_THAT(exec.command, ElementsAre("sh", "-c", "a&b"));
  EXPECT_TRUE(exec.streams.in && exec.streams.out && exec.streams.terminal && !exec.streams.err);
  EXPECT_EQ(KubeletRequest::parse("/attach/shop/web/c?error=1").deed, Deed::attach);
  const auto log = KubeletRequest::parse("/containerLogs/shop/web/c?follow=true&tailLines=5&limitBytes=9").log;
  EXPECT_TRUE(log.follow && !log.previous);
  EXPECT_EQ(log.tail_lines, 5);
  EXPECT_EQ(log.limit_bytes, 9);
  EXPECT_FALSE(log.timestamps || log.since);
  const auto timed =
      KubeletRequest::parse("/containerLogs/shop/web/c?timestamps=true&sinceTime=2026-11-30T12:00:00Z").log;
  EXPECT_TRUE(timed.timestamps);
  EXPECT_EQ(log_timestamp(timed.since.value()), "2026-11-30T12:00:00.000000000Z");
  const auto since = KubeletRequest::parse("/containerLogs/shop/web/c?sinceSeconds=60").log.since.value();
  EXPECT_NEAR(static_cast<double>((std::chrono::system_clock::now() - since) / std::chrono::seconds(1)), 60, 5);
  const auto forward = KubeletRequest::parse("/portForward/shop/web");
  EXPECT_EQ(forward.deed, Deed::forward);
  EXPECT_EQ(forward.where.pod, "web");
}

TEST(KubeletRequests, ThatAreNoneAreRefused) {
  for (const auto* target :
       {"", "/", "exec/shop/web/c?command=ls&output=1", "/exec/shop/web?command=ls&output=1",
        "/exec/shop/web/c/d?command=ls&output=1", "/run/shop/web/c?command=ls&output=1", "/exec/shop/web/c?output=1",
        "/exec/shop/web/c?command=&output=1", "/exec/shop/web/c?command=ls", "/exec/shop/web/c?command=a%00b&output=1",
        "/attach/shop/web/c", "/containerLogs/shop/web/c?tailLines=x", "/containerLogs/shop/web/c?sinceSeconds=0",
        "/containerLogs/shop/web/c?sinceTime=yesterday",
        "/containerLogs/shop/web/c?sinceSeconds=5&sinceTime=2026-11-30T12:00:00Z", "/portForward/shop/web/c"})
    EXPECT_THROW(KubeletRequest::parse(target), kube::ApiError) << target;
}

TEST(StreamFrames, SayInputItsEndAndASize) {
  EXPECT_EQ(stream_frames::read({"\0abc", 4}).data, "abc");
  EXPECT_EQ(stream_frames::read({"\xff\0", 2}).kind, Message::Kind::end_of_input);
  const auto size = stream_frames::read("\x04{\"Width\":80,\"Height\":24}");
  EXPECT_EQ(size.kind, Message::Kind::resize);
  EXPECT_EQ(size.window.columns, 80);
  EXPECT_EQ(size.window.rows, 24);
  const auto long_one = "\x04{\"Width\":80,\"Height\":24}" + std::string(256, ' ');
  for (const std::string_view nothing :
       {std::string_view(), std::string_view("\0", 1), std::string_view("\xff"), std::string_view("\xff\x01"),
        std::string_view("\x01out"), std::string_view("\x04"), std::string_view("\x04{\"Width\":80}"),
        std::string_view("\x04{\"Width\":-1,\"Height\":24}"), std::string_view("\x04{\"Width\":65536,\"Height\":24}"),
        std::string_view("\x04{\"Width\":80,\"Height\":0}"), std::string_view(long_one)})
    EXPECT_EQ(stream_frames::read(nothing).kind, Message::Kind::nothing) << testing::PrintToString(nothing);
}

// A bounded run of what a fuzzer would do, the same each time.
TEST(StreamFramesAndRequests, OfAnyBytesAreReadOrRefused) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp)
  const std::vector<std::string> seeds{"/exec/shop/web/c?command=sh&output=1", "/containerLogs/a/b/c?tailLines=5",
                                       "\x04{\"Width\":80,\"Height\":24}", std::string("\xff\0", 2)};
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = seeds[random() % seeds.size()];
    for (auto changes = 1 + random() % 4; changes > 0; --changes) {
      const auto at = random() % bytes.size();
      if (random() % 2 == 0)
        bytes[at] = static_cast<char>(random());
      else
        bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 16));
    }
    const auto message = stream_frames::read(bytes);
    EXPECT_TRUE(message.kind != Message::Kind::resize || (message.window.rows > 0 && message.window.columns > 0));
    try {
      const auto request = KubeletRequest::parse(bytes);
      EXPECT_EQ(request.deed == Deed::exec, !request.command.empty());
    } catch (const kube::ApiError& refusal) {
      EXPECT_LT(refusal.code(), 500);
    }
  }
}

}  // namespace
}  // namespace knetsim
