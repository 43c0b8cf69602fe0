#include <fmt/format.h>

#include <algorithm>

#include "json_file.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "readers.h"
#include "text.h"
#include "xml_file.h"

namespace knetsim::report {

namespace fs = std::filesystem;

namespace {

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
  if (text.starts_with(kXmlFlag)) test.xml = fs::path(text.substr(kXmlFlag.size())).filename();
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

}  // namespace

std::vector<Registered> read_registered(const fs::path& file) {
  const auto document = read_json_file(file);
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

}  // namespace knetsim::report
