#include "knetsim/apiserver/query.h"

#include <fmt/format.h>

#include <boost/algorithm/string/predicate.hpp>
#include <charconv>

#include "knetsim/kube/status.h"
#include "knetsim/sys/text.h"

namespace knetsim::apiserver {

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  std::string encoded;
  for (const char byte : text) {
    if (kPlain.find(byte) != std::string_view::npos)
      encoded += byte;
    else
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
  }
  return encoded;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += plus && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    unsigned char byte = 0;
    const auto* const first = text.data() + i + 1;
    if (text.size() - i < 3 || std::from_chars(first, first + 2, byte, 16).ptr != first + 2) return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

Query::Query(std::string_view text) {
  while (!text.empty()) {
    const auto pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    const auto name = pair.substr(0, pair.find('='));
    auto word = percent_decoded(name, true);
    auto value = percent_decoded(pair.substr(std::min(name.size() + 1, pair.size())), true);
    if (word && value && !word->empty()) words_[*std::move(word)].push_back(*std::move(value));
  }
}

const std::string& Query::operator[](std::string_view word) const {
  static const std::string kNone;
  const auto found = words_.find(word);
  return found == words_.end() ? kNone : found->second.front();
}

std::vector<std::string> Query::all(std::string_view word) const {
  const auto found = words_.find(word);
  return found == words_.end() ? std::vector<std::string>() : found->second;
}

bool Query::flag(std::string_view word) const {
  const auto found = words_.find(word);
  if (found == words_.end()) return false;
  // Whatever isn't false is true, as upstream has it: Python's client says True.
  const auto& value = found->second.front();
  return value != "0" && !boost::algorithm::iequals(value, "false");
}

std::optional<std::int64_t> Query::number(std::string_view word) const {
  const auto& text = (*this)[word];
  if (text.empty()) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc{} && end == text.data() + text.size()) return number;
  throw kube::bad_request(fmt::format("{}: {} is no whole number", word, excerpt(text, 60)));
}

}  // namespace knetsim::apiserver
