#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace knetsim {

/// With this a message says itself what it comes to, up to the end of the line; what else it says is evidence:
///   "  Actual: w1/c1, in short: w1/c1 can't ping 11.10.144.2: 1 sent, 0 received\nPING 11.10.144.2 ..."
inline constexpr std::string_view kInShort = "in short: ";

/// A reason that begins with this explains a test's other reasons, which came earlier: a daemon that died.
inline constexpr std::string_view kTheCause = "the cause: ";

/// Which of a test's reasons says most: the first that is the cause of the others, else the first of all. `reasons`
/// have a member `text`; there is one at least.
template <typename Reasons>
const std::string& telling_reason(const Reasons& reasons) {
  for (const auto& reason : reasons)
    if (std::string_view(reason.text).find(kTheCause) != std::string_view::npos) return reason.text;
  return reasons.front().text;
}

/// Why something failed, in one sentence on one line of at most `longest` bytes, from what a test left as its reason:
/// GoogleTest's message of an assertion or exception (expected and actual are joined), the output of a program that
/// crashed or gave up, a text of our own. Of any other text the first line that says something.
std::string failure_sentence(std::string_view message, std::size_t longest = 300);

/// What two sentences of one cause have in common: addresses, process ids and times, which differ from run to run and
/// from test to test, are written as "*".
std::string failure_cause(std::string_view sentence);

}  // namespace knetsim
