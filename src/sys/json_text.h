#pragma once

#include <cstddef>
#include <iterator>

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

}  // namespace knetsim
