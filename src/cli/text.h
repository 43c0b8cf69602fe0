#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::cli {

/// Columns that UTF-8 text takes on a terminal, one a code point: what we print holds no wide characters.
std::size_t width(std::string_view text);
/// At most `columns` wide, with an ellipsis where something was cut; 0 means no limit.
std::string shorten(std::string_view text, std::size_t columns);
std::string pad_right(std::string_view text, std::size_t columns);
std::string pad_left(std::string_view text, std::size_t columns);
/// Every line of it behind `prefix`.
std::string indent(std::string_view text, std::string_view prefix);
/// "0.04 s", "12.3 s"
std::string seconds_text(double seconds);
/// "1 check", "2 checks"
std::string count_of(std::size_t count, std::string_view noun);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::vector<std::string> split_lines(std::string_view text);

using Row = std::vector<std::string>;

/// Rows as lines, each column as wide as its widest cell, two blanks between.
std::string table(const std::vector<Row>& rows);

}  // namespace knetsim::cli
