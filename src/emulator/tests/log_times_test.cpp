// When what stands in a log was written.
#include "../log_times.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>

#include "../log_reader.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using testing::MatchesRegex;

class LogTimesTest : public testing::Test {
 protected:
  void TearDown() override {
    fs::remove(log_);
    fs::remove(times_of(log_));
  }
  void print(const std::string& text) const { std::ofstream(log_, std::ios::app) << text; }
  void note(const std::string& text) const { std::ofstream(times_of(log_), std::ios::app) << text; }
  /// What a reader of the log is told with these options.
  std::string read(const LogOptions& options) {
    LogReader reader(context_.get_executor(), {.file = log_, .ended = {}}, options);
    std::string all;
    boost::asio::co_spawn(
        context_,
        [&]() -> boost::asio::awaitable<void> {
          for (;;) {
            const auto piece = co_await reader.next();
            if (piece.empty()) break;
            all += piece;
          }
        },
        boost::asio::detached);
    context_.restart();
    context_.run();
    return all;
  }

  fs::path log_ = fs::path(kStateDirectory) / "timed.log";
  boost::asio::io_context context_;
};

LogTime at_second(int second) { return LogTime(std::chrono::seconds(second)); }

TEST_F(LogTimesTest, AreNotedAsALogGrows) {
  print("before\n");
  const auto begin = std::chrono::system_clock::now();
  {
    LogClocks clocks(context_);
    const auto clock = clocks.start(log_);
    print("one\n");
    eventually([&]() -> std::optional<std::string> {
      context_.poll();
      const auto noted = read_file(times_of(log_));
      return std::ranges::count(noted, '\n') == 2 ? std::nullopt : std::optional("two notes: " + noted);
    });
    print("last\n");
  }
  LogTimes times(log_);
  EXPECT_THAT(read_file(times_of(log_)), MatchesRegex("7 [0-9]+\n11 [0-9]+\n16 [0-9]+\n"));
  EXPECT_GE(times.at(0), begin);
  EXPECT_GE(times.at(7), times.at(6));
  EXPECT_GE(times.at(11), times.at(10));
  EXPECT_LE(times.at(15), std::chrono::system_clock::now());
  EXPECT_EQ(times.since(at_second(0)), 0U);
  EXPECT_EQ(times.since(times.at(11)), 11U);
}

TEST_F(LogTimesTest, StandBeforeEachLineAndLeaveOutWhatIsOlder) {
  print("one\ntwo\nthree\nfo");
  note("4 1000000000\n14 2000000000\n");  // "fo" came later
  print("ur\n");
  note("19 3500000000\n");
  EXPECT_EQ(read({.timestamps = true}),
            "1970-01-01T00:00:01.000000000Z one\n1970-01-01T00:00:02.000000000Z two\n"
            "1970-01-01T00:00:02.000000000Z three\n1970-01-01T00:00:03.500000000Z four\n");
  EXPECT_EQ(read({.since = at_second(2)}), "two\nthree\nfour\n");
  EXPECT_EQ(read({.since = at_second(3)}), "four\n");
  EXPECT_EQ(read({.since = at_second(4)}), "");
  EXPECT_EQ(read({.tail_lines = 3, .since = at_second(3)}), "four\n");
  EXPECT_EQ(read({.tail_lines = 1, .timestamps = true, .since = at_second(1)}),
            "1970-01-01T00:00:03.500000000Z four\n");
  EXPECT_EQ(read({.limit_bytes = 34, .timestamps = true}), "1970-01-01T00:00:01.000000000Z one");
}

TEST_F(LogTimesTest, BeginWithAWholeLine) {
  print("one tw");
  note("6 1000000000\n");
  print("o\nthree\n");
  note("14 2000000000\n");
  EXPECT_EQ(read({.since = at_second(2)}), "three\n");
}

TEST_F(LogTimesTest, ThatNobodyNotedAreNotMadeUp) {
  print("one\n");
  EXPECT_THROW(read({.timestamps = true}), InputError);
  EXPECT_THROW(read({.since = at_second(1)}), InputError);
}

}  // namespace
}  // namespace knetsim
