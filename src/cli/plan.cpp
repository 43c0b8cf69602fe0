#include "plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "knetsim/sys/error.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/text.h"
#include "text.h"

namespace knetsim::cli {

namespace fs = std::filesystem;

namespace {

std::string words_of(const std::string& test) {
  auto words = test.substr(test.find('.') + 1);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::vector<std::string> ids_of(const std::vector<PlannedCheck>& plan) {
  std::vector<std::string> ids;
  for (const auto& check : plan) ids.push_back(check.id);
  return ids;
}

}  // namespace

std::vector<PlannedCheck> plan_checks(const std::vector<Listing>& listings) {
  std::vector<PlannedCheck> plan;
  for (const auto& [program, tests] : listings)
    for (const auto& test : tests) {
      const auto id = test.check.empty() ? test.test : test.check;
      auto check = std::find_if(plan.begin(), plan.end(), [&](const auto& known) { return known.id == id; });
      if (check == plan.end()) {
        plan.push_back({id, test.title.empty() ? words_of(test.test) : test.title, {}});
        check = plan.end() - 1;
      }
      check->tests.push_back({program, test.test});
    }
  return plan;
}

std::vector<PlannedCheck> select_checks(std::vector<PlannedCheck> plan, const std::vector<std::string>& ids) {
  if (ids.empty()) return plan;
  const auto known = ids_of(plan);
  for (const auto& id : ids)
    if (std::find(known.begin(), known.end(), id) == known.end()) {
      const auto near = nearest(id, known);
      throw InputError(fmt::format("there is no check \"{}\"{}\n  remedy: the checks are {}", id,
                                   near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near), join(known, " ")));
    }
  std::erase_if(plan, [&](const auto& check) { return std::find(ids.begin(), ids.end(), check.id) == ids.end(); });
  return plan;
}

fs::path find_suite(const std::string& name, const fs::path& own_directory) {
  if (name.find('/') != std::string::npos) {
    if (const auto program = find_program(name)) return *program;
    throw InputError(describe(
        {.where = name, .tried = "run this suite", .answer = "it isn't a program", .remedy = "check the path"}));
  }
  constexpr const char* kInstalled = "../libexec/knetsim";
  if (const auto program = find_file(name, {own_directory}, {".", kInstalled})) return *program;
  throw InputError(describe({.tried = "find the suite program " + name,
                             .answer = fmt::format("it is neither in {} nor in {}", own_directory.string(),
                                                   (own_directory / kInstalled).lexically_normal().string()),
                             .remedy = "build it (ninja -C build/release " + name + "), or install knetsim again"}));
}

}  // namespace knetsim::cli
