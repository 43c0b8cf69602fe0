#include "knetsim/sys/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <regex>
#include <vector>

namespace knetsim {

namespace {

// Of a side of a comparison; the whole stands in the message.
constexpr std::size_t kLongestValue = 120;
constexpr std::size_t kLongestRead = 64 * 1024;

using Lines = std::vector<std::string_view>;
using Sentence = std::optional<std::string>;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// At most `longest` bytes, cut at a character of UTF-8.
std::string shortened(std::string_view text, std::size_t longest) {
  if (text.size() <= longest) return std::string(text);
  while (longest > 0 && (static_cast<unsigned char>(text[longest]) & 0xC0U) == 0x80U) --longest;
  return std::string(text.substr(0, longest)) + "…";
}

std::string value(std::string_view text) { return shortened(trimmed(text), kLongestValue); }

Lines lines_of(std::string_view text) {
  Lines lines;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// What follows `key` in the first line that begins with it (white space aside); nullopt if none does.
std::optional<std::string_view> after(const Lines& lines, std::string_view key) {
  for (const auto& line : lines)
    if (const auto text = trimmed(line); text.starts_with(key)) return trimmed(text.substr(key.size()));
  return std::nullopt;
}

/// The words that the test's author added to an assertion say what it is about.
std::string with_message(std::string_view message, std::string sentence) {
  const auto words = trimmed(message);
  return words.empty() ? sentence : fmt::format("{}: {}", value(words), sentence);
}

/// The last line behind `from`, unless it is a part of a diff.
std::string_view message_behind(const Lines& lines, std::size_t from) {
  bool in_diff = false;
  for (auto i = from; i < lines.size(); ++i) {
    const auto line = lines[i];
    if (line == "With diff:" || line == "Ignoring case") {
      in_diff = line == "With diff:";
      continue;
    }
    if (in_diff && (line.empty() || std::string_view("@+- ").find(line.front()) != std::string_view::npos)) continue;
    in_diff = false;
    if (!trimmed(line).empty()) return line;
  }
  return {};
}

/// "(\"no answer from 11.10.0.2:80\")": an optional that holds the words of a trouble instead of nothing.
Sentence trouble(std::string_view printed) {
  if (!printed.starts_with("(\"") || !printed.ends_with("\")") || printed.find(' ') == std::string_view::npos)
    return std::nullopt;
  const auto words = printed.substr(2, printed.size() - 4);
  return std::string(words.substr(0, words.find("\\n")));
}

/// EXPECT_EQ, EXPECT_STREQ, EXPECT_DOUBLE_EQ and their kin: two expressions, each with its value unless it is one.
Sentence of_equality(const Lines& lines) {
  constexpr std::string_view kWhich = "    Which is: ";
  if (lines.front() != "Expected equality of these values:") return std::nullopt;
  const auto is_expression = [&](std::size_t i) { return lines[i].starts_with("  ") && !lines[i].starts_with("    "); };
  std::size_t second = 2;
  while (second < lines.size() && !is_expression(second)) ++second;
  if (second >= lines.size()) return std::nullopt;
  const auto value_of = [&](std::size_t expression) -> std::optional<std::string_view> {
    if (expression + 1 < lines.size() && lines[expression + 1].starts_with(kWhich))
      return lines[expression + 1].substr(kWhich.size());
    return std::nullopt;
  };
  auto left = trimmed(lines[1]);
  auto right = trimmed(lines[second]);
  auto left_value = value_of(1);
  auto right_value = value_of(second);
  const auto words = message_behind(lines, second + (right_value ? 2 : 1));
  // The one that was computed is what one asks about.
  if (!left_value && right_value) {
    std::swap(left, right);
    std::swap(left_value, right_value);
  }
  const auto wanted = right_value.value_or(right);
  if (right == "std::nullopt" && left_value)
    if (auto said = trouble(*left_value)) return with_message(words, *std::move(said));
  if (!left_value) return with_message(words, fmt::format("{} is not {}", value(left), value(wanted)));
  return with_message(words, fmt::format("{} is {}, not {}", value(left), value(*left_value), value(wanted)));
}

/// EXPECT_LT and its kin: "Expected: (a) < (b), actual: 3 vs 2".
Sentence of_comparison(const Lines& lines) {
  constexpr std::string_view kActual = ", actual: ";
  const auto at = lines.front().find(kActual);
  if (!lines.front().starts_with("Expected: (") || at == std::string_view::npos) return std::nullopt;
  return with_message(message_behind(lines, 1),
                      fmt::format("expected {}, got {}", value(lines.front().substr(10, at - 10)),
                                  value(lines.front().substr(at + kActual.size()))));
}

/// EXPECT_TRUE and EXPECT_FALSE: value, actual, expected, in this order.
Sentence of_truth(const Lines& lines) {
  if (lines.size() < 3 || !lines[0].starts_with("Value of: ") || !lines[1].starts_with("  Actual: "))
    return std::nullopt;
  std::size_t expected = 2;
  while (expected < lines.size() && !lines[expected].starts_with("Expected: ")) ++expected;
  if (expected == lines.size()) return std::nullopt;
  return with_message(message_behind(lines, expected + 1),
                      fmt::format("{} is {}, not {}", value(lines[0].substr(10)), value(lines[1].substr(10)),
                                  value(lines[expected].substr(10))));
}

/// EXPECT_THAT, EXPECT_THROW and its kin, and what else has an Expected and an Actual.
Sentence of_expectation(const Lines& lines) {
  const auto expected = after(lines, "Expected: ");
  const auto actual = after(lines, "Actual: ");
  if (!expected || !actual) return std::nullopt;
  const auto function = after(lines, "Actual function call count doesn't match ");
  if (function)
    return fmt::format("{}: expected {}, got {}", value(function->substr(0, function->rfind("..."))), value(*expected),
                       value(*actual));
  if (lines.front().starts_with("Value of: "))
    return fmt::format("expected: {}; got: {}", value(*expected), value(*actual));
  const auto without_stop = [](std::string_view text) {
    return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
  };
  auto came = value(without_stop(*actual));
  if (std::count(came.begin(), came.end(), '"') % 2 != 0) came += '"';  // what was quoted goes on in the next line
  // "f() throws an exception" or "1 fatal failure".
  const bool clause =
      expected->find(" throws ") != std::string_view::npos || expected->find(" doesn't ") != std::string_view::npos;
  return fmt::format("expected {}{}, but {}", clause ? "that " : "", value(without_stop(*expected)), came);
}

/// EXPECT_PRED and EXPECT_NEAR: a sentence already, but broken over lines.
Sentence of_predicate(const Lines& lines) {
  const bool near = lines.front().starts_with("The difference between ");
  if (!near && lines.front().find(" evaluates to ") == std::string_view::npos) return std::nullopt;
  std::string joined;
  for (const auto& line : lines) {
    if (!joined.empty() && line.find(" evaluates to ") == std::string_view::npos) break;
    joined += (joined.empty() ? "" : " ") + std::string(trimmed(line));
  }
  return joined;
}

/// "C++ exception with description "..." thrown in the test body.", the description of one line or more.
Sentence of_exception(const Lines& lines) {
  constexpr std::string_view kDescription = "C++ exception with description \"";
  const auto first = lines.front();
  if (!first.starts_with(kDescription)) return std::nullopt;
  auto text = first.substr(kDescription.size());
  if (const auto end = text.rfind("\" thrown in "); end != std::string_view::npos) text = text.substr(0, end);
  return trimmed(text).empty() ? std::string(first) : std::string(text);
}

/// "Death test: f()\n    Result: failed to die.\n ..."
Sentence of_death_test(const Lines& lines) {
  const auto statement = after(lines, "Death test: ");
  auto result = after(lines, "Result: ");
  if (!lines.front().starts_with("Death test: ") || !statement || !result) return std::nullopt;
  while (result->ends_with('.') || result->ends_with(':')) result->remove_suffix(1);
  return fmt::format("{}: {}", value(*statement), *result);
}

/// "Unexpected mock function call ...\n    Function call: f(1)" and "Mock function called more times than expected".
Sentence of_mock_call(const Lines& lines) {
  const auto call = after(lines, "Function call: ");
  if (!call) return std::nullopt;
  const auto what = lines.front().starts_with("Unexpected mock function call") ? "unexpected call"
                    : lines.front().starts_with("Mock function called more")   ? "called more often than expected"
                                                                               : nullptr;
  if (what == nullptr) return std::nullopt;
  return fmt::format("{}: {}", what, value(*call));
}

/// "crashed: SEGFAULT; the end of its output:\n...": with the line of the output that tells most.
Sentence of_last_words(const Lines& lines) {
  constexpr std::string_view kOutput = "the end of ";
  const auto colon = lines.front().find("; the end of its output:");
  const bool cli = lines.size() > 1 && lines[1].starts_with("the end of what it printed:");
  if (colon == std::string_view::npos && !cli) return std::nullopt;
  const auto how = lines.front().substr(0, colon);
  // From what tells most to what tells least; of the same kind the first is the cause.
  constexpr std::array kTelling{"ERROR: AddressSanitizer",
                                "ERROR: LeakSanitizer",
                                "WARNING: ThreadSanitizer",
                                "runtime error: ",
                                "Assertion `",
                                "what(): ",
                                "terminate called",
                                "knetsim: "};
  for (const auto* sign : kTelling)
    for (auto line = lines.begin() + 1; line != lines.end(); ++line)
      if (line->find(sign) != std::string_view::npos && !line->starts_with(kOutput))
        return fmt::format("{}: {}", how, trimmed(*line));
  // An exception of Python's stands at the end of its traceback; the last is what ended the program.
  static const std::regex python(R"(^[A-Za-z_.]*(Error|Exception|Interrupt|Exit|Expired): .*)");
  const auto last = std::find_if(lines.rbegin(), lines.rend(), [](std::string_view line) {
    return line.size() < 4096 && std::regex_match(line.begin(), line.end(), python);
  });
  return last == lines.rend() ? std::string(how) : fmt::format("{}: {}", how, trimmed(*last));
}

Sentence said_by_itself(std::string_view text) {
  const auto at = text.find(kInShort);
  if (at == std::string_view::npos) return std::nullopt;
  const auto words = trimmed(text.substr(at + kInShort.size(), text.find('\n', at) - at - kInShort.size()));
  return words.empty() ? std::nullopt : std::optional(std::string(words));
}

/// The rest that GoogleTest puts around what somebody said.
std::string_view without_heading(std::string_view text) {
  // The stack of SCOPED_TRACE, where the assertion was called from.
  text = text.substr(0, text.find("\nGoogle Test trace:"));
  for (const std::string_view heading : {"Failed\n", "Skipped\n"})
    if (text.size() > heading.size() && text.starts_with(heading)) text.remove_prefix(heading.size());
  while (!text.empty() && (text.front() == '\n' || text.front() == '\r')) text.remove_prefix(1);
  return text;
}

/// On one line: runs of white space are one space, other control characters none.
std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (blank && (line.empty() || line.back() == ' ')) continue;
    if (blank)
      line += ' ';
    else if (byte >= 0x20 && byte != 0x7f)
      line += c;
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

}  // namespace

std::string failure_sentence(std::string_view message, std::size_t longest) {
  const auto text = without_heading(message.substr(0, kLongestRead));
  if (const auto at = text.find(kTheCause); at != std::string_view::npos)
    return failure_sentence(text.substr(at + kTheCause.size()), longest);
  if (const auto words = said_by_itself(text)) return shortened(on_one_line(*words), longest);
  const auto lines = lines_of(text);
  for (const auto read : {of_equality, of_comparison, of_truth, of_death_test, of_mock_call, of_expectation,
                          of_exception, of_predicate, of_last_words})
    if (const auto sentence = read(lines)) return shortened(on_one_line(*sentence), longest);
  for (const auto& line : lines)
    if (const auto words = on_one_line(line); !words.empty()) return shortened(words, longest);
  return "it says nothing";
}

std::string failure_cause(std::string_view sentence) {
  // Addresses of IPv4 and IPv6 with port or prefix, those of Ethernet and of memory, process ids, and times.
  static const std::regex changing(
      R"(\b\d{1,3}(\.\d{1,3}){3}([:/]\d+)?\b|\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b|)"
      R"(\b[0-9a-fA-F]{1,4}(:[0-9a-fA-F]{0,4}){2,7}(/\d+)?|\b0x[0-9a-fA-F]+\b|\b(process|pid) \d+\b|==\d+==|)"
      R"(\b\d+(\.\d+)? ?(ns|us|ms|s|min|seconds?)\b)");
  return std::regex_replace(shortened(sentence, 4096), changing, "*");
}

}  // namespace knetsim
