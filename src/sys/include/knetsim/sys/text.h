#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knetsim {

/// The start of a foreign text, fit for one line of a message: in quotes, without the white space at its end, control
/// and non-ASCII characters as \x1b, cut after `longest` bytes; an empty one is `nothing`.
std::string excerpt(std::string_view text, std::size_t longest = 200);
/// The start of a foreign text, fit for a message of several lines: what would change a terminal is a question mark.
std::string fit_for_message(std::string_view text, std::size_t longest = 1'000);
/// Without the blanks (space, tab, carriage return) at both ends.
std::string_view trim(std::string_view text);
/// The candidate that somebody who wrote `word` probably meant (Damerau-Levenshtein distance); empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace knetsim
