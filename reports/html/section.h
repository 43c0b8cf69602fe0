#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "compare.h"
#include "model.h"
#include "text.h"

namespace knetsim::report::html {

/// What the page is made of.
struct View {
  const RunResult& run;
  const Comparison& comparison;
  const std::filesystem::path& report;
};

/// Text that is markup already, under construction.
class Out {
 public:
  template <typename... Args>
  Out& add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    return *this;
  }
  Out& raw(std::string_view markup) {
    text_ += markup;
    return *this;
  }
  std::size_t size() const noexcept { return text_.size(); }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// A mark and a word: colour never carries a meaning alone.
std::string badge(Outcome outcome);
/// The same, the mark alone.
std::string_view mark(Outcome outcome);

// The sections, in the page's order; each writes nothing if it has nothing to say. In tests.cpp, failures.cpp,
// history.cpp and page.cpp.
void write_changes(Out& out, const View& view);
void write_checks(Out& out, const View& view);
void write_problems(Out& out, const View& view);
void write_failures(Out& out, const View& view);
void write_suites(Out& out, const View& view);
void write_boot(Out& out, const View& view);
void write_coverage(Out& out, const View& view);
void write_charts(Out& out, const View& view);
void write_grid(Out& out, const View& view);
void write_facts(Out& out, const View& view);

/// The boot timeline of one test, or of many in the middle: a bar for each part.
void write_timeline(Out& out, const std::vector<BootPart>& parts);
/// The address of a failed test's article within the page.
std::string anchor(const View& view, const TestResult& test);

/// Of a failed test: new tonight, or for how many nights and since which; and what was changed before.
std::string since(const View& view, const TestResult& test);

extern const std::string_view kStyle;
extern const std::string_view kScript;

}  // namespace knetsim::report::html
