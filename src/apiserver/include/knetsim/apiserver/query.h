#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::apiserver {

/// "a b" -> "a%20b": fit for a word of a path or of a query.
std::string percent_encoded(std::string_view text);

/// "%2F" -> "/"; nullopt for what is no encoding. `plus`: in queries a plus is a space.
std::optional<std::string> percent_decoded(std::string_view text, bool plus);

/// The words behind the question mark. Of a word that is given twice the first counts, as in Go, unless all are asked
/// for.
class Query {
 public:
  Query() = default;
  /// Never throws: what can't be decoded is left out, as in Go.
  explicit Query(std::string_view text);

  /// Empty if it isn't there.
  const std::string& operator[](std::string_view word) const;
  bool has(std::string_view word) const { return words_.find(word) != words_.end(); }
  /// In the order in which they were given.
  std::vector<std::string> all(std::string_view word) const;
  /// Anything but "false" and "0", also without a value.
  bool flag(std::string_view word) const;
  /// Throws ApiError 400 for what is no number.
  std::optional<std::int64_t> number(std::string_view word) const;
  void set(std::string word, std::string value) { words_[std::move(word)] = {std::move(value)}; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> words_;
};

}  // namespace knetsim::apiserver
