#include <fmt/format.h>

#include <cstdlib>

#include "readers.h"
#include "text.h"
#include "xml_file.h"

namespace knetsim::report {

namespace {

/// GoogleTest says "Failed" above what FAIL() and ADD_FAILURE() were given.
std::string said(std::string_view text) {
  constexpr std::string_view kHeading = "Failed\n";
  if (text.size() > kHeading.size() && text.starts_with(kHeading)) text.remove_prefix(kHeading.size());
  return clean(text, kLongestReason);
}

/// GoogleTest writes "file.cpp:12\nwhat was expected" into the message of a failure.
Reason reason_of(const char* message) {
  const std::string_view text = message;
  const auto newline = text.find('\n');
  const auto place = text.substr(0, newline);
  const auto colon = place.rfind(':');
  const auto digits = colon == std::string_view::npos ? std::string_view{} : place.substr(colon + 1);
  if (newline == std::string_view::npos || digits.empty() ||
      digits.find_first_not_of("0123456789") != std::string_view::npos || digits.size() > 8)
    return {
        {}, 0, said(place == "unknown file" && newline != std::string_view::npos ? text.substr(newline + 1) : text)};
  return {clean(place.substr(0, colon)), std::atoi(std::string(digits).c_str()), said(text.substr(newline + 1))};
}

using Verdict = GtestResult::Verdict;

std::string name_of(const pugi::xml_node& test) {
  const auto* const suite = test.attribute("classname").as_string(test.parent().attribute("name").as_string());
  return clean(fmt::format("{}.{}", suite, test.attribute("name").as_string()));
}

bool tells_of_failures(const pugi::xml_node& suite) {
  return suite.attribute("failures").as_int() > 0 || suite.attribute("errors").as_int() > 0;
}

void take_case(const pugi::xml_node& test, GtestResult& result) {
  for (const auto* kind : {"failure", "error"})
    for (const auto& failure : test.children(kind))
      result.reasons.push_back(reason_of(failure.attribute("message").as_string()));
  if (const auto skip = test.child("skipped")) {
    // The message of a skip is repeated, with its place, in the text of the element.
    const std::string text = skip.child_value();
    result.reasons.push_back(reason_of(text.empty() ? skip.attribute("message").as_string() : text.c_str()));
  }
  for (const auto& property : test.child("properties").children("property"))
    result.properties[property.attribute("name").as_string()] = clean(property.attribute("value").as_string());
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed:
      return "passed";
    case Verdict::failed:
      return "failed";
    case Verdict::skipped:
      return "skipped";
    case Verdict::empty:
      break;
  }
  return "empty";
}

GtestResult read_gtest(const std::filesystem::path& file) {
  const auto document = read_xml(file, "testsuites");
  const auto root = document.document_element();
  GtestResult result;
  result.started = clean(root.attribute("timestamp").as_string());
  std::size_t skipped = 0;
  bool failed = false;
  for (const auto& found : root.select_nodes(".//testcase")) {
    const auto test = found.node();
    if (std::string_view(test.attribute("status").as_string()) != "run") continue;
    result.ran.push_back(name_of(test));
    failed = failed || test.child("failure") || test.child("error");
    if (std::string_view(test.attribute("result").as_string()) == "skipped") ++skipped;
    take_case(test, result);
  }
  // A failure of a suite's or the environment's set-up belongs to no test case.
  bool outside = tells_of_failures(root);
  for (const auto& suite : root.select_nodes(".//testsuite")) outside = outside || tells_of_failures(suite.node());
  if (outside && !failed) result.reasons.push_back({{}, 0, "failed outside of its test cases"});
  if (failed || outside)
    result.verdict = Verdict::failed;
  else if (result.ran.empty())
    result.verdict = Verdict::empty;
  else
    result.verdict = skipped == result.ran.size() ? Verdict::skipped : Verdict::passed;
  if (result.verdict == Verdict::empty) result.reasons.push_back({{}, 0, "no test case ran"});
  return result;
}

}  // namespace knetsim::report
