#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/nowide/utf/utf.hpp>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>

namespace knetsim::report {

namespace {

namespace utf = boost::nowide::utf;
using Utf8 = utf::utf_traits<char>;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append(std::string& to, utf::code_point c) { Utf8::encode(c, std::back_inserter(to)); }

/// Calls `take` with each code point, or with nullopt for what isn't UTF-8.
template <typename Take>
void each_code_point(std::string_view text, Take take) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const auto* const start = at;
    const auto c = Utf8::decode(at, end);
    if (utf::is_valid_codepoint(c)) {
      take(std::optional<utf::code_point>(c));
    } else {
      // Only the first byte is wrong for sure: the next may begin a character.
      at = start + 1;
      take(std::optional<utf::code_point>());
    }
  }
}

bool plain(char c) { return c >= ' ' && c != 0x7f && c != '<' && c != '>' && c != '&' && c != '"' && c != '\''; }

const char* entity(utf::code_point c) {
  switch (c) {
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '&':
      return "&amp;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return nullptr;
  }
}

template <typename Control>
std::string escape_markup(std::string_view text, Control control) {
  std::string result;
  result.reserve(text.size());
  // Nearly all of what is written is plain.
  std::size_t plain_until = 0;
  while (plain_until < text.size() && plain(text[plain_until])) ++plain_until;
  result.append(text.substr(0, plain_until));
  each_code_point(text.substr(plain_until), [&](std::optional<utf::code_point> c) {
    if (!c) {
      result += kReplacement;
    } else if (const auto* written = entity(*c)) {
      result += written;
    } else if (*c == '\n' || *c == '\t' || (*c >= ' ' && *c < 0x7f) || (*c >= 0xA0 && *c != 0xFFFE && *c != 0xFFFF)) {
      append(result, *c);
    } else {
      append(result, control(*c));
    }
  });
  return result;
}

/// Whether a line break may stand before this byte of UTF-8.
bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

std::size_t longest_run_of_backticks(std::string_view text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

std::string replaced(std::string_view text, const std::map<char, std::string_view>& by) {
  std::string result;
  for (const char c : text) {
    const auto found = by.find(c);
    result += found == by.end() ? std::string_view(&c, 1) : found->second;
  }
  return result;
}

std::string_view cut(std::string_view text, std::size_t longest) {
  if (text.size() <= longest) return text;
  while (longest > 0 && !starts_character(text[longest])) --longest;
  return text.substr(0, longest);
}

}  // namespace

std::string clean(std::string_view bytes, std::size_t longest) {
  std::string result;
  const auto kept = cut(bytes, longest);
  result.reserve(kept.size());
  each_code_point(kept, [&](std::optional<utf::code_point> c) {
    if (c)
      append(result, *c);
    else
      result += kReplacement;
  });
  if (kept.size() < bytes.size()) result += fmt::format("\n... ({} more bytes)", bytes.size() - kept.size());
  return result;
}

std::string escape_html(std::string_view text) {
  return escape_markup(text, [](utf::code_point c) -> utf::code_point {
    if (c < 0x20) return 0x2400 + c;
    return c == 0x7f ? 0x2421 : 0xFFFD;
  });
}

std::string escape_xml(std::string_view text) {
  return escape_markup(text, [](utf::code_point c) -> utf::code_point { return c >= 0x7f && c <= 0x9f ? c : 0xFFFD; });
}

std::string escape_markdown(std::string_view text) {
  std::string result;
  for (const char c : clean(text)) {
    if (c == '<' || c == '>' || c == '&')
      result += entity(static_cast<unsigned char>(c));
    else if (std::string_view("|`*_[]\\~").find(c) != std::string_view::npos)
      result += {'\\', c};
    else
      result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return result;
}

std::string code_span(std::string_view text) {
  std::string line;
  for (const char c : clean(text)) line += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? ' ' : c;
  const auto fence = std::string(longest_run_of_backticks(line) + 1, '`');
  // A backtick at the edge must not join the fence.
  const auto* const edge = line.empty() || line.front() == '`' || line.back() == '`' ? " " : "";
  return fence + edge + line + edge + fence;
}

std::string fenced_block(std::string_view text, std::string_view indent) {
  auto shown = clean(text);
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t') c = ' ';
  while (shown.ends_with('\n')) shown.pop_back();
  const auto fence = std::string(std::max<std::size_t>(3, longest_run_of_backticks(shown) + 1), '`');
  std::string block = fmt::format("{}{}text\n", indent, fence);
  bool line_begins = true;
  for (const char c : shown) {
    if (line_begins && c != '\n') block += indent;
    block += c;
    line_begins = c == '\n';
  }
  return fmt::format("{}\n{}{}\n", block, indent, fence);
}

std::string escape_command(std::string_view text) {
  return replaced(text, {{'%', "%25"}, {'\r', "%0D"}, {'\n', "%0A"}});
}

std::string escape_command_property(std::string_view text) {
  return replaced(escape_command(text), {{':', "%3A"}, {',', "%2C"}});
}

std::string count_of(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string seconds_text(double seconds) {
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 99.95) return fmt::format("{:.{}f} s", seconds, seconds < 9.995 ? 2 : 1);
  const auto whole = std::llround(seconds);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string figure_text(double value, std::string_view unit) {
  const auto three_digits = [](double number) {
    const auto size = std::abs(number);
    return fmt::format("{:.{}f}", number, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
  };
  if (unit == "s") {
    if (value < 0.0009995) return three_digits(value * 1e6) + " µs";
    return value < 0.9995 ? three_digits(value * 1000) + " ms" : three_digits(value) + " s";
  }
  std::size_t step = 0;
  constexpr std::array kPrefixes{"", "k", "M", "G", "T"};
  const bool scales = unit == "B/s" || unit == "bit/s" || unit == "items/s";
  while (scales && value >= 999.5 && step + 1 < kPrefixes.size()) {
    value /= 1000;
    ++step;
  }
  return fmt::format("{} {}{}", three_digits(value), kPrefixes.at(step), unit);
}

std::string in_words(std::string_view name) {
  std::string words;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool upper = c >= 'A' && c <= 'Z';
    const char before = i > 0 ? name[i - 1] : '.';
    const bool follows_lower = before >= 'a' && before <= 'z';
    const bool follows_letter = follows_lower || (before >= 'A' && before <= 'Z') || (before >= '0' && before <= '9');
    const bool before_lower = i + 1 < name.size() && name[i + 1] >= 'a' && name[i + 1] <= 'z';
    if (c == '_') {
      words += ' ';
    } else if (c == '/') {
      words += ", ";
    } else if (upper && before_lower && follows_letter) {
      words += {' ', static_cast<char>(c - 'A' + 'a')};
    } else if (upper && follows_lower) {
      words += {' ', c};
    } else {
      words += c;
    }
  }
  return words;
}

}  // namespace knetsim::report
