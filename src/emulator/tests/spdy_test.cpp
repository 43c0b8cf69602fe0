// The frames of port-forward, and what a client may get wrong in them.
#include "../spdy.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <random>

#include "fuzz/targets.h"
#include "knetsim/sys/error.h"

namespace knetsim::spdy {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Spdy, CompressesHeadersAgainstTheDictionaryOfTheStandard) {
  const auto words = dictionary();
  EXPECT_EQ(words.size(), 1'423U);
  EXPECT_EQ(::adler32(::adler32(0, nullptr, 0), reinterpret_cast<const Bytef*>(words.data()),
                      static_cast<uInt>(words.size())),
            0xe3c6'a7c2U);
}

TEST(Spdy, ReadsWhatIsWrittenHoweverItIsCut) {
  Writer writer;
  // Headers are compressed by those before them: the second only reads after the first.
  std::string said = writer.syn_stream(1, {{"streamtype", "error"}, {"port", "80"}}, true);
  said += writer.syn_stream(3, {{"streamtype", "data"}, {"port", "80"}});
  said += Writer::data(3, "hello") + Writer::data(3, {}, true);
  said += writer.syn_reply(5);
  said += Writer::ping(7) + Writer::reset(9, 5);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, said.size()}) {
    Reader reader;
    std::vector<Frame> frames;
    for (std::size_t at = 0; at < said.size(); at += piece) {
      reader.take(std::string_view(said).substr(at, piece));
      while (auto frame = reader.next()) frames.push_back(*std::move(frame));
    }
    ASSERT_EQ(frames.size(), 7U);
    EXPECT_EQ(frames[0].kind, Kind::syn_stream);
    EXPECT_TRUE(frames[0].last);
    EXPECT_THAT(frames[1].headers, ElementsAre(Pair("port", "80"), Pair("streamtype", "data")));
    EXPECT_EQ(frames[1].stream, 3U);
    EXPECT_EQ(frames[2].data, "hello");
    EXPECT_TRUE(frames[3].last);
    EXPECT_EQ(frames[4].kind, Kind::syn_reply);
    EXPECT_EQ(frames[5].number, 7U);
    EXPECT_EQ(frames[6].kind, Kind::reset);
    EXPECT_EQ(frames[6].stream, 9U);
  }
}

TEST(Spdy, RefusesWhatCannotBeRead) {
  const auto refused = [](const std::string& bytes) {
    Reader reader;
    EXPECT_THROW(
        {
          reader.take(bytes);
          while (reader.next()) {
          }
        },
        InputError);
  };
  Writer writer;
  auto other_version = writer.syn_stream(1, {{"port", "80"}});
  other_version[1] = 2;
  refused(other_version);
  refused(std::string("\0\0\0\x01\0\xff\xff\xff", 8));                             // a frame of 16 MiB
  refused(std::string("\x80\x03\0\x01\0\0\0\x04\0\0\0\x01", 12));                  // a stream without its priority
  refused(std::string("\x80\x03\0\x01\0\0\0\x0e\0\0\0\x01\0\0\0\0\0\0nope", 22));  // headers that aren't deflated
  // A few bytes that inflate to many: headers are bounded.
  refused(Writer().syn_stream(1, {{"a", std::string(1'000'000, 'a')}}));
  Reader reader;
  reader.take(std::string(3'000'000, '\0'));
  EXPECT_THROW(reader.take("x"), InputError);
}

TEST(KubeletFuzz, TakesWhateverClientsSay) {
  std::mt19937 random(1);  // NOLINT: the same each time
  const auto any = [&](std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random); };
  for (const auto& [name, target] : kubelet::fuzz::targets())
    for (const auto& seed : kubelet::fuzz::seeds(name)) {
      target(seed);
      for (int round = 0; round < 3'000; ++round) {
        auto text = seed;
        for (auto changes = 1 + any(4); changes > 0 && !text.empty(); --changes) {
          const auto at = any(text.size());
          if (any(4) == 0)
            text.erase(at, 1 + any(8));
          else
            text[at] = static_cast<char>(any(256));
        }
        target(text);
      }
    }
}

}  // namespace
}  // namespace knetsim::spdy
