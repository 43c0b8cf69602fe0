// What nodes are called, and that a resolver is told the same.
#include "knetsim/emulator/names.h"

#include <gmock/gmock.h>

#include <sstream>

namespace knetsim {
namespace {

using testing::HasSubstr;
using testing::Not;

Address address(const char* text) { return boost::asio::ip::make_address(text); }

class NamesOfTwoClusters : public testing::Test {
 protected:
  NamesOfTwoClusters() {
    names.add_nodes({{"C0w1", {address("10.0.0.3")}}, {"C1w1", {address("10.0.0.8"), address("fd00::8")}}});
    names.add_container("C0", "C0w1/c1", {address("11.1.0.2")});
    names.add_container("C1", "C1w1/c1", {address("11.2.0.2")});
  }

  /// The first address that a resolver would find for it.
  std::string resolved(const std::string& name) const {
    std::istringstream lines(names.hosts());
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string first;
      words >> first;
      for (std::string word; words >> word;)
        if (word == name) return first;
    }
    return "nothing";
  }

  Names names{"C0"};
};

TEST_F(NamesOfTwoClusters, MeanTheSameToThePromptAndToAResolver) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases{
      {"C0w1", "C0w1", "10.0.0.3"},       {"w1", "C0w1", "10.0.0.3"},         {"c0w1", "C0w1", "10.0.0.3"},
      {"C1w1", "C1w1", "10.0.0.8"},       {"c1w1", "C1w1", "10.0.0.8"},       {"C0w1/c1", "C0w1/c1", "11.1.0.2"},
      {"w1/c1", "C0w1/c1", "11.1.0.2"},   {"c1.C0w1", "C0w1/c1", "11.1.0.2"}, {"c1.w1", "C0w1/c1", "11.1.0.2"},
      {"c1.C0", "C0w1/c1", "11.1.0.2"},   {"c1.c0", "C0w1/c1", "11.1.0.2"},   {"C1w1/c1", "C1w1/c1", "11.2.0.2"},
      {"c1.C1w1", "C1w1/c1", "11.2.0.2"}, {"c1.C1", "C1w1/c1", "11.2.0.2"},   {"c1w1/c1", "C1w1/c1", "11.2.0.2"},
  };
  for (const auto& [name, meant, first] : cases) {
    EXPECT_EQ(names.find(name), meant) << name;
    EXPECT_EQ(resolved(name), first) << name;
  }
  for (const auto* none : {"", "C0", "c1", "1w1", "C0w9", "C2w1", "w1/c9", "C0/c1"}) {
    EXPECT_EQ(names.find(none), std::nullopt) << none;
    EXPECT_EQ(resolved(none), "nothing") << none;
  }
}

TEST_F(NamesOfTwoClusters, HaveALineForEachAddress) {
  EXPECT_THAT(names.hosts(), HasSubstr("10.0.0.8 C1w1 c1w1\nfd00::8 C1w1 c1w1\n"));
}

TEST_F(NamesOfTwoClusters, GoWithTheirContainerAndComeAgain) {
  names.remove("C0w1/c1");
  for (const auto* name : {"C0w1/c1", "w1/c1", "c1.C0", "c1.C0w1"}) EXPECT_EQ(names.find(name), std::nullopt) << name;
  EXPECT_THAT(names.hosts(), Not(HasSubstr("11.1.0.2")));
  names.add_container("C0", "C0w1/c1", {address("11.1.0.9")});
  EXPECT_EQ(resolved("c1.C0"), "11.1.0.9");
  EXPECT_EQ(resolved("c1.C1"), "11.2.0.2");
}

TEST(NamesOf, NodesAreTheirOwnWhateverOthersAreCalledInShort) {
  Names names("C0");
  names.add_nodes({{"C0w1", {address("10.0.0.2")}}, {"w1", {address("10.0.0.3")}}, {"c1.C0", {address("10.0.0.4")}}});
  names.add_container("C0", "C0w1/c1", {address("11.0.0.2")});
  names.add_container("C1", "w1/c1", {address("11.0.0.3")});
  for (const auto* name : {"C0w1", "w1", "c1.C0", "C0w1/c1", "w1/c1"}) EXPECT_EQ(names.find(name), name);
  EXPECT_EQ(names.find("c1.w1"), "w1/c1");
  EXPECT_EQ(names.find("c1.C0w1"), "C0w1/c1");
  names.remove("C0w1/c1");
  EXPECT_EQ(names.find("c1.C0"), "c1.C0");
  EXPECT_EQ(names.hosts(), "10.0.0.2 C0w1 c0w1\n10.0.0.3 w1\n10.0.0.4 c1.C0 c1.c0\n11.0.0.3 w1/c1 c1.w1 c1.C1 c1.c1\n");
}

TEST(NamesOf, NodesAreNothingThatAnOptionOrANumberCouldBeTakenFor) {
  Names names("shop");
  names.add_nodes({{"shop-1", {address("10.0.0.1")}}, {"shop2", {address("10.0.0.2")}}});
  EXPECT_EQ(names.find("-1"), std::nullopt);
  EXPECT_EQ(names.find("2"), std::nullopt);
  EXPECT_EQ(names.find("shop2"), "shop2");
}

TEST(NamesOf, ContainersThatAFileCannotHoldAreKnownToThePromptAlone) {
  Names names("C0");
  names.add_nodes({{"C0w1", {address("10.0.0.3")}}});
  names.add_container("C0", "C0w1/a b\n6.6.6.6 evil", {address("11.0.0.2")});
  EXPECT_EQ(names.hosts(), "10.0.0.3 C0w1 c0w1 w1\n");
  EXPECT_EQ(names.find("C0w1/a b\n6.6.6.6 evil"), "C0w1/a b\n6.6.6.6 evil");
}

}  // namespace
}  // namespace knetsim
