#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <pugixml.hpp>

#include "json_file.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "readers.h"
#include "text.h"

namespace knetsim::report {

namespace fs = std::filesystem;

namespace {

/// A whole XML file whose root is <root>; throws InputError with the line at which it ceases to be one.
pugi::xml_document read_xml(const std::filesystem::path& file, std::string_view root) {
  const auto text = read_file(file);
  pugi::xml_document document;
  const auto parsed = document.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed) {
    const auto end = text.begin() + std::min<std::ptrdiff_t>(parsed.offset, static_cast<std::ptrdiff_t>(text.size()));
    throw InputError(describe({.where = fmt::format("{}:{}", file.string(), 1 + std::count(text.begin(), end, '\n')),
                               .tried = "read XML",
                               .answer = text.empty() ? "the file is empty" : parsed.description(),
                               .remedy = "whoever wrote it died while writing; run it again"}));
  }
  const std::string_view found = document.document_element().name();
  if (found != root)
    throw InputError(describe({.where = file.string(),
                               .tried = fmt::format("find <{}>", root),
                               .answer = fmt::format("the root element is <{}>", clean(found, 80)),
                               .remedy = "this is another format, or one of another version"}));
  return document;
}

constexpr std::string_view kXmlFlag = "--gtest_output=xml:";
constexpr std::string_view kFilterFlag = "--gtest_filter=";

void take_property(const JsonPlace& property, Registered& test) {
  const auto name = property["name"].string();
  if (name == "TIMEOUT") test.timeout = property["value"].real();
  if (name == "LABELS") test.labels = property["value"].each(&JsonPlace::string);
}

void take_command(const JsonPlace& argument, Registered& test) {
  const auto text = argument.string();
  if (test.program.empty()) test.program = fs::path(text).filename();
  if (text.starts_with(kXmlFlag)) {
    const fs::path file = text.substr(kXmlFlag.size());
    test.xml = file.filename();
    test.xml_directory = file.parent_path();
  }
  if (text.starts_with(kFilterFlag)) test.filter = text.substr(kFilterFlag.size());
}

Registered registered_from(const JsonPlace& at) {
  Registered test{.name = at["name"].string(), .xml = {}, .labels = {}};
  for (const auto& argument : at.elements("command")) take_command(argument, test);
  for (const auto& property : at.elements("properties")) take_property(property, test);
  return test;
}

Outcome outcome_of_status(std::string_view status) {
  if (status == "run") return Outcome::passed;
  return status == "fail" ? Outcome::failed : Outcome::skipped;
}

/// The end says how it went; without the line break at the very end.
std::string tail(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() <= kLongestReason) return clean(text);
  const auto cut = text.size() - kLongestReason;
  return clean(fmt::format("({} more bytes) ...\n{}", cut, text.substr(cut)));
}

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

std::vector<Registered> read_registered(const fs::path& file) {
  return read_registered_text(read_file(file), file.string());
}

std::vector<Registered> read_registered_text(const std::string& text, const std::string& source) {
  const auto document = read_json_text(text, source);
  return JsonPlace(document)["tests"].each(registered_from);
}

CtestRun read_ctest(const fs::path& file) {
  const auto document = read_xml(file, "testsuite");
  const auto root = document.document_element();
  CtestRun run{clean(root.attribute("timestamp").as_string()), std::max(0.0, root.attribute("time").as_double()), {}};
  for (const auto& test : root.children("testcase")) {
    const std::string message = test.child("failure").attribute("message").as_string();
    run.tests.push_back(
        {.name = clean(test.attribute("name").as_string()),
         .outcome = outcome_of_status(test.attribute("status").as_string()),
         .seconds = std::max(0.0, test.attribute("time").as_double()),
         .output = tail(test.child_value("system-out")),
         .message = clean(message.empty() ? test.child("skipped").attribute("message").as_string() : message.c_str())});
  }
  return run;
}

std::map<std::string, std::string> read_endings(const fs::path& file) {
  // At the end of the log, behind "The following tests FAILED:": "	 12 - suite-vip:Vip.Turns (SEGFAULT)"
  std::map<std::string, std::string> endings;
  const auto text = read_file(file);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    const auto number = line.find_first_not_of("\t ");
    const auto dash = line.find(" - ");
    const auto bracket = line.rfind(" (");
    if (number == 0 || dash == std::string_view::npos || bracket == std::string_view::npos || bracket < dash ||
        !line.ends_with(')') ||
        line.substr(number, dash - number).find_first_not_of("0123456789") != std::string_view::npos)
      continue;
    endings[clean(line.substr(dash + 3, bracket - dash - 3))] =
        clean(line.substr(bracket + 2, line.size() - bracket - 3));
  }
  return endings;
}

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
