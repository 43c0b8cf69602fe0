#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "section.h"

namespace knetsim::report::html {

/// Bytes that all evidence of a page may still take: texts, and captures (before base64).
struct EvidenceBudget {
  std::size_t texts = 2'500'000;
  std::size_t captures = 16'000'000;
};

/// What each node looked like, as data for the viewer that compares two nodes side by side, and the packets to
/// download. What is too long is shortened, what is too much is named.
/// `first` are the nodes with which the viewer opens, at the file in which they differ most.
void write_evidence(Out& out, const std::filesystem::path& directory, const TestResult& test, const std::string& id,
                    const std::pair<std::string, std::string>& first, EvidenceBudget& budget);

/// The file in which two nodes' texts differ most, but for what always differs between two nodes: addresses, counters,
/// what is learnt from traffic, and logs. `left` and `right` are file name -> text. Empty if there is no file.
std::string most_different(const std::map<std::string, std::string>& left,
                           const std::map<std::string, std::string>& right);

}  // namespace knetsim::report::html
