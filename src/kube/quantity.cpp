#include "knetsim/kube/quantity.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

namespace knetsim::kube {
namespace {

constexpr std::size_t kMostDigits = 18;  // of what a 64 bit number surely holds
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct Suffix {
  std::string_view text;
  int power;  // of 10, or of 1024
};
constexpr std::array kDecimalSuffixes{Suffix{"n", -9}, Suffix{"u", -6}, Suffix{"m", -3}, Suffix{"", 0},
                                      Suffix{"k", 3},  Suffix{"M", 6},  Suffix{"G", 9},  Suffix{"T", 12},
                                      Suffix{"P", 15}, Suffix{"E", 18}};
constexpr std::array kBinarySuffixes{Suffix{"", 0},   Suffix{"Ki", 1}, Suffix{"Mi", 2}, Suffix{"Gi", 3},
                                     Suffix{"Ti", 4}, Suffix{"Pi", 5}, Suffix{"Ei", 6}};

struct Number {
  bool negative = false;
  std::uint64_t digits = 0;
  int fraction = 0;  ///< how many of them are behind the point
  std::size_t count = 0;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Number take_number(std::string_view& text) {
  Number number;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    number.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  bool behind = false;
  for (; !text.empty() && (is_digit(text.front()) || (text.front() == '.' && !behind)); text.remove_prefix(1)) {
    if (text.front() == '.') {
      behind = true;
      continue;
    }
    ++number.count;
    if (number.count <= kMostDigits)
      number.digits = number.digits * 10 + static_cast<std::uint64_t>(text.front() - '0');
    if (behind) ++number.fraction;
  }
  return number;
}

/// "e3", "E-2": an exponent.
bool is_exponent(std::string_view text) {
  if (text.size() < 2 || (text.front() != 'e' && text.front() != 'E')) return false;
  text.remove_prefix(1);
  if (text.front() == '+' || text.front() == '-') text.remove_prefix(1);
  return !text.empty() && text.size() <= 3 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

template <typename Suffixes>
const Suffix* suffix_of(const Suffixes& suffixes, std::string_view text) {
  for (const auto& suffix : suffixes)
    if (suffix.text == text) return &suffix;
  return nullptr;
}

/// A whole number with the largest suffix that leaves it whole; nullopt where no suffix does.
std::optional<std::string> decimal_form(std::uint64_t digits, int power) {
  for (; digits % 10 == 0; digits /= 10) ++power;
  while (power % 3 != 0 || power > 18) {
    if (digits > UINT64_MAX / 10) return std::nullopt;
    digits *= 10;
    --power;
  }
  for (const auto& suffix : kDecimalSuffixes)
    if (suffix.power == power) return fmt::format("{}{}", digits, suffix.text);
  return std::nullopt;
}

std::optional<std::string> binary_form(std::uint64_t digits, int fraction, int power) {
  std::uint64_t divisor = 1;
  for (int i = 0; i < fraction; ++i) divisor *= 10;
  for (; digits % divisor != 0; --power) {
    if (power == 0 || digits > UINT64_MAX / 1024) return std::nullopt;
    digits *= 1024;
  }
  digits /= divisor;
  for (; digits % 1024 == 0 && power < 6; ++power) digits /= 1024;
  return fmt::format("{}{}", digits, kBinarySuffixes[static_cast<std::size_t>(power)].text);
}

}  // namespace

std::optional<std::string> canonical_quantity(std::string_view text) {
  auto rest = text;
  const auto number = take_number(rest);
  const auto* const decimal = suffix_of(kDecimalSuffixes, rest);
  const auto* const binary = suffix_of(kBinarySuffixes, rest);
  if (number.count == 0 || (decimal == nullptr && binary == nullptr && !is_exponent(rest))) return std::nullopt;
  if (number.count > kMostDigits || (decimal == nullptr && binary == nullptr)) return std::string(text);
  if (number.digits == 0) return "0";
  const auto whole = decimal != nullptr ? decimal_form(number.digits, decimal->power - number.fraction)
                                        : binary_form(number.digits, number.fraction, binary->power);
  return whole ? (number.negative ? "-" : "") + *whole : std::string(text);
}

std::optional<std::size_t> base64_error(std::string_view text) {
  std::size_t symbols = 0;
  std::size_t padding = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' || text[i] == '\r') continue;
    if (text[i] == '=' && symbols % 4 >= 2 && symbols % 4 + padding < 4) {
      ++padding;
    } else if (padding > 0 || kAlphabet.find(text[i]) == std::string_view::npos) {
      return i;
    } else {
      ++symbols;
    }
  }
  return (symbols + padding) % 4 == 0 ? std::nullopt : std::optional(text.size());
}

}  // namespace knetsim::kube
