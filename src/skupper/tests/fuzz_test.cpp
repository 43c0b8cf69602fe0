// A bounded run of the fuzz targets under any compiler: every seed, every beginning of it, and mutations that are the
// same in each run.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "fuzz/targets.h"

namespace knetsim::skupper::fuzz {
namespace {

constexpr int kMutations = 1'500;

class Fuzz : public testing::TestWithParam<std::string> {
 protected:
  void feed(std::string_view bytes) {
    try {
      targets().at(GetParam())(bytes);
    } catch (const std::exception& error) {
      FAIL() << error.what() << " on " << testing::PrintToString(std::string(bytes));
    }
  }

  std::size_t below(std::size_t limit) { return random_() % limit; }

  std::string mutated(std::string bytes, const std::vector<std::string>& others) {
    for (auto count = 1 + below(4); count > 0; --count) {
      if (bytes.empty()) return bytes;
      const auto at = below(bytes.size());
      switch (below(6)) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << below(8)));
          break;
        case 1:
          bytes[at] = static_cast<char>(random_());
          break;
        case 2:
          bytes[at] = "\x00\xff\x7f\x80\x40\x45"[below(6)];
          break;
        case 3:
          bytes.erase(at, 1 + below(8));
          break;
        case 4:
          bytes.insert(at, bytes.substr(below(bytes.size()), 1 + below(16)));
          break;
        default: {
          const auto& other = others[below(others.size())];
          bytes.replace(at, std::string::npos, other, std::min(at, other.size()), std::string::npos);
        }
      }
    }
    return bytes;
  }

  std::mt19937 random_{20'261'124};
};

TEST_P(Fuzz, EndsWellOnWhateverComes) {
  const auto valid = seeds(GetParam());
  ASSERT_FALSE(valid.empty());
  for (const auto& seed : valid)
    for (std::size_t length = 0; length <= seed.size(); ++length) feed(std::string_view(seed).substr(0, length));
  for (int i = 0; i < kMutations; ++i) feed(mutated(valid[below(valid.size())], valid));
}

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz,
                         testing::Values("value", "control", "flow", "properties", "engine", "config", "message"),
                         [](const auto& target) { return target.param; });

}  // namespace
}  // namespace knetsim::skupper::fuzz
