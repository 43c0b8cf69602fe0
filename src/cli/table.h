#pragma once

#include <string>
#include <vector>

namespace knetsim::cli {

using Row = std::vector<std::string>;

/// Rows as lines, each column as wide as its widest cell, two blanks between.
std::string table(const std::vector<Row>& rows);

}  // namespace knetsim::cli
