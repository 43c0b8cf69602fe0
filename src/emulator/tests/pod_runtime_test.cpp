#include "../pod_runtime.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <string>

namespace knetsim {
namespace {

using testing::HasSubstr;

/// To its end, or until nothing comes for a while.
std::string all_of(FdView from) {
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    pollfd event{from.get(), POLLIN, 0};
    if (::poll(&event, 1, 10'000) <= 0) return text + "<nothing more>";
    const auto count = ::read(from.get(), buffer.data(), buffer.size());
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

TEST(StreamsOfAProgram, AreApartAndEndWithIt) {
  auto program = start_with_streams({.argv = {"sh", "-c", "cat; echo complaint >&2; exit 7"}},
                                    {.in = true, .out = true, .err = true});
  ASSERT_EQ(::write(program.in.get(), "typed", 5), 5);
  program.in.reset();
  EXPECT_EQ(all_of(program.out), "typed");
  EXPECT_EQ(all_of(program.err), "complaint\n");
  EXPECT_EQ(program.child.wait(std::chrono::seconds(10)).code(), 7);
}

TEST(StreamsOfAProgram, ThatNobodyWantsAreEmpty) {
  auto program = start_with_streams({.argv = {"sh", "-c", "cat; echo lost >&2; echo said"}}, {.out = true});
  EXPECT_FALSE(program.in);
  EXPECT_FALSE(program.err);
  EXPECT_EQ(all_of(program.out), "said\n");
}

TEST(StreamsOfAProgram, AreOneTerminalWhereOneIsWanted) {
  auto program = start_with_streams({.argv = {"sh", "-c", "read line; tty; echo $line >&2"}},
                                    {.in = true, .out = true, .err = true, .terminal = true});
  ASSERT_EQ(::write(program.in.get(), "typed\n", 6), 6);
  const auto printed = all_of(program.out);
  EXPECT_THAT(printed, HasSubstr("/dev/pts/"));
  EXPECT_THAT(printed, HasSubstr("typed\r\n"));
  EXPECT_FALSE(program.err);
}

}  // namespace
}  // namespace knetsim
