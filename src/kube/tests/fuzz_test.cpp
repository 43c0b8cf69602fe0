// A bounded run of the fuzz targets under any compiler: every seed, and mutations that are the same in each run.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "fuzz/targets.h"

namespace knetsim::kube::fuzz {
namespace {

constexpr int kMutations = 1'000;

class Fuzz : public testing::TestWithParam<std::string> {
 protected:
  void feed(const std::string& bytes) {
    try {
      targets().at(GetParam())(bytes);
    } catch (const std::exception& error) {
      FAIL() << error.what() << " on " << testing::PrintToString(bytes);
    }
  }

  std::size_t below(std::size_t limit) { return random_() % limit; }

  /// Bytes changed, or a piece moved: most remain JSON, some don't.
  std::string mutated(std::string bytes) {
    static const std::vector<std::string> pieces{"null", "{}",       "[]",           "\"\"", "-1", "99999999999",
                                                 "true", "\"None\"", "{\"a\":null}", ",",    "[[", "\\"};
    for (auto count = 1 + below(3); count > 0 && bytes.size() > 2; --count) {
      const auto at = 1 + below(bytes.size() - 1);
      const auto value = bytes.find_first_of("\"[{0123456789tf", at);
      switch (below(4)) {
        case 0:
          bytes[at] = static_cast<char>(random_());
          break;
        case 1:
          bytes.erase(at, 1 + below(8));
          break;
        case 2:
          bytes.insert(at, pieces[below(pieces.size())]);
          break;
        default: {
          if (value == std::string::npos) break;
          const auto end = std::min(bytes.find_first_of(",}]\n", value), bytes.size());
          bytes.replace(value, end - value, pieces[below(pieces.size())]);
        }
      }
    }
    return bytes;
  }

 private:
  std::mt19937 random_{1};  // NOLINT(cert-msc51-cpp): the same in each run
};

TEST_P(Fuzz, NothingButRefusals) {
  const auto all = seeds(GetParam());
  for (const auto& seed : all) feed(seed);
  for (int i = 0; i < kMutations; ++i) {
    feed(mutated(all[below(all.size())]));
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz, testing::Values("manifest", "object", "patch", "selector"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace knetsim::kube::fuzz
