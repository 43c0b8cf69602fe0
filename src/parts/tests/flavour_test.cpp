// Whose program stands where.

#include "knetsim/parts/flavour.h"

#include <gmock/gmock.h>

#include <vector>

namespace knetsim::parts {
namespace {

using testing::ElementsAre;

std::vector<Flavour> places(Flavour flavour, std::size_t count) {
  std::vector<Flavour> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(at(flavour, i, count));
  return result;
}

TEST(Flavours, AreWrittenAndReadAlike) {
  for (const auto flavour :
       {Flavour::automatic, Flavour::builtin, Flavour::real, Flavour::mixed, Flavour::mixed_reversed})
    EXPECT_EQ(flavour_named(to_string(flavour)), flavour);
  EXPECT_EQ(to_string(Flavour::automatic), "auto");
  EXPECT_EQ(to_string(Flavour::mixed_reversed), "mixed-reversed");
  for (const auto* text : {"", "Real", "real ", "mixed_reversed", "automatic"})
    EXPECT_EQ(flavour_named(text), std::nullopt) << text;
}

TEST(Flavours, MixedOnesHaveTheRealProgramInTheFirstOrTheLastPlace) {
  EXPECT_THAT(places(Flavour::mixed, 3), ElementsAre(Flavour::real, Flavour::builtin, Flavour::builtin));
  EXPECT_THAT(places(Flavour::mixed_reversed, 3), ElementsAre(Flavour::builtin, Flavour::builtin, Flavour::real));
  for (const auto mixed : {Flavour::mixed, Flavour::mixed_reversed})
    EXPECT_THAT(places(mixed, 1), ElementsAre(Flavour::real));
}

TEST(Flavours, OthersAreTheSameInEachPlace) {
  for (const auto flavour : {Flavour::automatic, Flavour::builtin, Flavour::real}) {
    EXPECT_FALSE(is_mixed(flavour));
    EXPECT_THAT(places(flavour, 2), ElementsAre(flavour, flavour));
  }
}

}  // namespace
}  // namespace knetsim::parts
