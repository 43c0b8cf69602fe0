#pragma once

#include <cstddef>
#include <filesystem>

#include "section.h"

namespace knetsim::report::html {

/// Bytes that all evidence of a page may still take: texts, and captures (before base64).
struct EvidenceBudget {
  std::size_t texts = 2'500'000;
  std::size_t captures = 16'000'000;
};

/// What each node looked like, as data for the viewer that compares two nodes side by side, and the packets to
/// download. What is too long is shortened, what is too much is named.
void write_evidence(Out& out, const std::filesystem::path& directory, const TestResult& test, const std::string& id,
                    EvidenceBudget& budget);

}  // namespace knetsim::report::html
