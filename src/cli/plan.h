#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "event.h"

namespace knetsim::cli {

struct PlannedTest {
  std::filesystem::path program;
  std::string test;
};

/// A check and the tests that prove it.
struct PlannedCheck {
  std::string id;
  std::string title;
  std::vector<PlannedTest> tests;
};

/// What a suite program listed.
struct Listing {
  std::filesystem::path program;
  std::vector<TestListed> tests;
};

/// The checks in the order in which the suites list them. A test that declares no check is one of its own, under its
/// GoogleTest name: nothing is left out silently.
std::vector<PlannedCheck> plan_checks(const std::vector<Listing>& listings);

/// Those with these ids, in the plan's order; all if `ids` is empty. An unknown id throws InputError with the known.
std::vector<PlannedCheck> select_checks(std::vector<PlannedCheck> plan, const std::vector<std::string>& ids);

/// A suite program: a path, or a name looked for beside our own program, then in ../libexec/knetsim from there.
/// Throws InputError with the remedy if it isn't there.
std::filesystem::path find_suite(const std::string& name, const std::filesystem::path& own_directory);

}  // namespace knetsim::cli
