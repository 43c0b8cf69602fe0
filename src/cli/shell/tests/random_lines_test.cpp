// Whatever is typed, the prompt survives.
#include <gtest/gtest.h>

#include <random>

#include "line_fuzz.h"
#include "shell_fixture.h"

namespace knetsim::cli::shell {
namespace {

/// Lines made of pieces that mean something, and of bytes that don't.
class RandomLines {
 public:
  std::string next() {
    static const std::vector<std::string> pieces{"C0w1",       "C0w2/c1",     "C0",
                                                 "w1",         "py ",         ".",
                                                 "(",          ")",           "[",
                                                 "]",          "\"",          "'",
                                                 "\\",         ",",           " ",
                                                 "  ",         "&",           "|",
                                                 ">",          "#",           "exec_container",
                                                 "kp_vip_add", "IP()",        "create ",
                                                 "delete ",    "vip ",        "add ",
                                                 "link ",      "down",        "help ",
                                                 "nodes",      "routes",      "services",
                                                 "exec ",      "sh ",         "kill ",
                                                 "restart ",   "100.64.10.1", "c1",
                                                 "-c",         "--only",      "\x01",
                                                 "\xc3\xa4",   "\xff",        "99999999999999999999",
                                                 "mininet> ",  "\t",          "$",
                                                 "*"};
    std::string line;
    for (auto left = pick(12); left > 0; --left)
      line += pick(4) == 0 ? std::string(1, static_cast<char>(pick(256))) : pieces[pick(pieces.size())];
    return line;
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  std::mt19937 random_{20260101};
};

TEST_F(Shell, SurvivesTenThousandRandomLines) {
  only_note_programs = true;
  RandomLines lines;
  std::size_t understood = 0;
  for (int i = 0; i < 10'000; ++i) {
    auto line = lines.next();
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(line.data()), line.size());
    if (i % 10 == 0) {
      EXPECT_LE(complete(session_, line).begin, line.size());
    }
    // A background program would really run.
    if (line.find('&') == std::string::npos && type(line) == 0) ++understood;
  }
  EXPECT_GT(understood, 100U) << "the lines are too random to prove anything";
  EXPECT_EQ(type("C0w1 true"), 0);
}

}  // namespace
}  // namespace knetsim::cli::shell
