// Waiting for states that no event announces: ends as soon as nothing is missing, tells what is still missing else.
#include "knetsim/sys/eventually.h"

#include <gmock/gmock.h>

namespace knetsim {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::optional<std::string> nothing() { return std::nullopt; }

TEST(Eventually, AsksOnceWhenNothingIsMissing) {
  int asked = 0;
  eventually([&] {
    ++asked;
    return nothing();
  });
  EXPECT_EQ(asked, 1);
}

TEST(Eventually, AsksOnceEvenWithoutAnyTimeLeft) { EXPECT_NO_THROW(eventually(nothing, milliseconds(0))); }

TEST(Eventually, GoesOnUntilNothingIsMissing) {
  int asked = 0;
  eventually([&] { return ++asked < 5 ? std::optional<std::string>("more questions") : std::nullopt; });
  EXPECT_EQ(asked, 5);
}

TEST(Eventually, AsksOftenAtFirst) {
  int asked = 0;
  const auto start = steady_clock::now();
  eventually([&] { return ++asked < 4 ? std::optional<std::string>("more") : std::nullopt; });
  EXPECT_GE(steady_clock::now() - start, milliseconds(1 + 2 + 4));
}

TEST(Eventually, SaysWhatWasMissingLast) {
  int asked = 0;
  try {
    eventually([&] { return std::optional("answer " + std::to_string(++asked)); }, milliseconds(30));
    FAIL() << "the end of the budget went unnoticed";
  } catch (const StillMissing& error) {
    EXPECT_EQ(error.missing(), "answer " + std::to_string(asked));
    EXPECT_EQ(error.what(), "after 0.03 s still missing: answer " + std::to_string(asked));
  }
}

TEST(Eventually, AsksALastTimeWhenTheBudgetHasEnded) {
  const auto end = steady_clock::now() + milliseconds(50);
  EXPECT_NO_THROW(
      eventually([&] { return steady_clock::now() < end ? std::optional<std::string>("the end") : std::nullopt; },
                 milliseconds(50)));
}

TEST(Eventually, HandsOnWhatTheProbeThrows) {
  EXPECT_THROW(eventually([]() -> std::optional<std::string> { throw InputError("broken probe"); }), InputError);
}

}  // namespace
}  // namespace knetsim
