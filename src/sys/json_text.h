#pragma once

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

namespace knetsim {

/// The characters of a text for nlohmann's parser, which doesn't tell its handler where it is: each that it takes is
/// counted. It may have taken one more than what it reports.
struct CountedCharacters {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  reference operator*() const { return *at; }
  CountedCharacters& operator++() {
    ++at;
    if (taken != nullptr) ++*taken;
    return *this;
  }
  CountedCharacters operator++(int) {
    auto before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountedCharacters& a, const CountedCharacters& b) { return a.at == b.at; }
  friend bool operator!=(const CountedCharacters& a, const CountedCharacters& b) { return a.at != b.at; }

  const char* at = nullptr;
  std::size_t* taken = nullptr;
};

/// Where the last of the first `taken` bytes of a text stands: "mine.json:3:7", as compilers have it; "line 3, column
/// 7" if the text is no file's.
std::string place_in(std::string_view file, std::string_view text, std::size_t taken);

/// What nlohmann's parser complains of, without the place that it names, in a line of bounded length.
std::string reason_of_parse_error(std::string_view message);

}  // namespace knetsim
