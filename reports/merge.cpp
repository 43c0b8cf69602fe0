#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "knetsim/sys/error.h"
#include "results.h"

namespace knetsim::report {

namespace fs = std::filesystem;

namespace {

struct Part {
  std::string file;
  RunResult run;
};

Part read_part(const fs::path& file, const fs::path& report) {
  Part part{file.string(), read_results(file)};
  const auto here = fs::absolute(file).parent_path();
  const auto there = fs::absolute(report).lexically_normal();
  for (auto& test : part.run.tests)
    if (!test.evidence.empty()) test.evidence = (here / test.evidence).lexically_normal().lexically_relative(there);
  if (!part.run.shard)
    throw InputError(describe({.where = part.file,
                               .tried = "merge it",
                               .answer = "it is a whole run, not a shard of one",
                               .remedy = "give the results.json of each shard"}));
  return part;
}

/// Each index once, all of one total and one commit.
void compare_parts(const std::vector<Part>& parts, RunResult& merged) {
  const auto total = parts.front().run.shard->total;
  std::map<std::size_t, std::string> files;
  for (const auto& part : parts) {
    const auto& shard = *part.run.shard;
    if (shard.total != total)
      merged.problems.push_back(
          fmt::format("{}: is one of {} shards, and {} one of {}", part.file, shard.total, parts.front().file, total));
    const auto [other, fresh] = files.emplace(shard.index, part.file);
    if (!fresh)
      merged.problems.push_back(fmt::format("{}: is shard {}, and so is {}", part.file, shard.index, other->second));
    if (part.run.fact("commit") != merged.fact("commit"))
      merged.problems.push_back(fmt::format("{}: is of commit {}, and {} of {}", part.file, part.run.fact("commit"),
                                            parts.front().file, merged.fact("commit")));
  }
  for (std::size_t index = 0; index < total && index < 10'000; ++index)
    if (!files.contains(index)) merged.problems.push_back(fmt::format("shard {} of {} is absent", index, total));
}

void add_missing(const std::vector<Part>& parts, RunResult& merged) {
  std::unordered_set<std::string> ran;
  for (const auto& test : merged.tests) ran.insert(test.name);
  std::set<std::string> missing;
  for (const auto& part : parts)
    for (const auto& name : part.run.elsewhere)
      if (!ran.contains(name)) missing.insert(name);
  for (const auto& name : missing)
    merged.tests.push_back(
        {.name = name, .outcome = Outcome::missing, .reasons = {{{}, 0, "no shard brought a result of it"}}});
}

}  // namespace

RunResult merge(const std::vector<fs::path>& results, const fs::path& report) {
  std::vector<Part> parts;
  for (const auto& file : results) parts.push_back(read_part(file, report));
  if (parts.empty()) throw InputError("there is no shard to merge");
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& one, const Part& other) { return one.run.shard->index < other.run.shard->index; });

  RunResult merged;
  const auto& first = parts.front().run;
  merged.version = first.version;
  merged.started = first.started;
  merged.facts = first.facts;
  merged.tools = first.tools;
  compare_parts(parts, merged);
  std::unordered_set<std::string> seen;
  for (auto& [file, run] : parts) {
    merged.started = std::min(merged.started, run.started);
    merged.seconds = std::max(merged.seconds, run.seconds);
    merged.problems.insert(merged.problems.end(), run.problems.begin(), run.problems.end());
    merged.figures.insert(merged.figures.end(), run.figures.begin(), run.figures.end());
    for (auto& test : run.tests) {
      if (!seen.insert(test.name).second) merged.problems.push_back(test.name + ": more than one shard ran it");
      merged.tests.push_back(std::move(test));
    }
  }
  add_missing(parts, merged);
  return merged;
}

}  // namespace knetsim::report
