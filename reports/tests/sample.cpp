#include "sample.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "knetsim/sys/file.h"

namespace knetsim::report {

namespace fs = std::filesystem;

Scratch::Scratch() {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  path_ = fs::temp_directory_path() / fmt::format("report-{}-{}-{}", info->test_suite_name(), info->name(), ::getpid());
  fs::remove_all(path_);
  fs::create_directories(path_);
}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path Scratch::write(const std::string& name, const std::string& text) const {
  auto file = path_ / name;
  fs::create_directories(file.parent_path());
  write_file_atomically(file, text);
  return file;
}

TestResult passing(const std::string& name) {
  return {.name = "suite-vip:" + name, .outcome = Outcome::passed, .seconds = 0.1};
}

TestResult failing(const std::string& name, const std::string& text, const std::string& file) {
  return {.name = "suite-vip:" + name, .outcome = Outcome::failed, .seconds = 0.2, .reasons = {{file, 12, text}}};
}

std::string started(int number) { return fmt::format("2026-11-{:02}T01:00:00Z", number); }

RunResult night(int number, std::vector<TestResult> tests) {
  RunResult run;
  run.version = "0.1.0";
  run.started = started(number);
  run.facts["commit"] = fmt::format("c{:039}", number);
  run.tests = std::move(tests);
  return run;
}

namespace {

TestResult readme(const std::string& name, const std::string& check, const std::string& title) {
  return {.name = "suite-readme:Readme." + name,
          .labels = {"readme"},
          .outcome = Outcome::passed,
          .seconds = 0.61,
          .check = check,
          .title = title,
          .boot = {{"C0: etcd", 0.14}, {"C1: etcd", 0.15}, {"C0: flannel", 0.31}, {"C1: flannel", 0.33}}};
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  write_file_atomically(file, text);
}

void write_evidence(const fs::path& directory) {
  write(directory / "trace.pcapng", std::string("\x0a\x0d\x0d\x0a", 4));
  const auto evidence = directory / "evidence";
  write(evidence / "topology.json",
        R"([{"name":"s0","kind":"switch"},{"name":"w1","kind":"worker","on":"s0","addresses":["10.0.0.3"]},)"
        R"({"name":"w2","kind":"worker","on":"s0","addresses":["10.0.0.4"]},)"
        R"({"name":"w1/c1","kind":"container","on":"w1","addresses":["11.10.0.2"]},)"
        R"({"name":"w2/c2","kind":"container","on":"w2","addresses":["11.10.16.2"]}])");
  write(evidence / "w1" / "routes.txt", "default via 10.0.0.1\n11.10.16.0/20 via 11.10.16.0 dev flannel.100 onlink\n");
  write(evidence / "w2" / "routes.txt", "default via 10.0.0.1\n");
  write(evidence / "w1" / "ruleset.txt", "counter packets 7 bytes 588\n");
  write(evidence / "w2" / "ruleset.txt", "counter packets 0 bytes 0\n");
  write(evidence / "w2" / "flanneld.log", "</script><script>alert(1)</script>\n");
}

}  // namespace

RunResult sample_run(const fs::path& report) {
  auto run = night(13, {});
  run.seconds = 42.5;
  run.facts["kernel"] = "6.1.0";
  run.facts["branch"] = "main";
  run.tools["etcd"] = "3.4.23";
  run.tests.push_back(readme("EtcdIsHealthy", "etcd", "etcd is healthy"));
  auto broken = readme("ContainersReachEachOther", "pod-to-pod", "Containers reach each other");
  broken.outcome = Outcome::failed;
  broken.reasons = {
      {"suites/readme_suite.cpp", 150,
       "Value of: c1()\nExpected: can ping 11.10.16.2\n  Actual: w1/c1, in short: w1/c1 can't ping 11.10.16.2: 1 sent, "
       "0 received\nPING 11.10.16.2\n\npath: w1/c1 -> 11.10.16.2\nroute of w1/c1"}};
  broken.step = FailedStep{"w1/c1", "w2/c2", "ping 11.10.16.2 -c 5"};
  broken.evidence = "../out/suite-readme/Readme.ContainersReachEachOther";
  write_evidence(report / broken.evidence);
  run.tests.push_back(broken);
  run.tests.push_back(passing("Vip.OneVipsTurns/builtin"));
  run.tests.push_back(
      failing("Vip.Evil/builtin", "]]> <script>alert('x')</script> & \"quoted\" \x01\x1b[31m \xff | `code`"));
  run.tests.push_back(failing("Vip.Old", "still broken"));
  auto flaky = failing("Vip.Flaky", "lost a packet");
  flaky.outcome = Outcome::flaky;
  run.tests.push_back(flaky);
  run.tests.push_back(passing("Vip.Fixed"));
  auto slow = passing("Vip.Slow");
  slow.seconds = 0.2;
  run.tests.push_back(slow);
  run.tests.push_back({.name = "suite-vip:Vip.Skipped/real",
                       .outcome = Outcome::skipped,
                       .reasons = {{"suites/vip_suite.cpp", 9, "no flanneld"}}});
  run.tests.push_back({.name = "suite-vip:Vip.Gone",
                       .outcome = Outcome::missing,
                       .reasons = {{{}, 0, "it was registered, yet ctest reports nothing about it"}}});
  run.problems = {"suite-vip:Vip.Gone: registered, yet ctest reports nothing about it"};
  run.figures = {{"boot demo up", "s", 0.41, 0.39, 0.45}, {"tcp B/s", "B/s", 2.5e9, 2.5e9, 2.5e9}};
  run.coverage = {{"src/sys", 1000, 930}, {"reports", 500, 440}};
  return run;
}

void write_sample_history(const fs::path& directory) {
  for (int number = 1; number <= 12; ++number) {
    auto slow = passing("Vip.Slow");
    slow.seconds = number > 8 ? 0.2 + number * 0.001 : 0.1 + number * 0.001;
    auto fixed = number == 12 ? failing("Vip.Fixed") : passing("Vip.Fixed");
    auto old = number > 9 ? failing("Vip.Old") : passing("Vip.Old");
    auto run = night(number, {passing("Vip.OneVipsTurns/builtin"), std::move(slow), std::move(fixed), std::move(old),
                              passing("Vip.Removed")});
    run.figures = {{"boot demo up", "s", 0.40 + number * 0.002, 0, 0}};
    run.coverage = {{"src/sys", 1000, 925}};
    append_night(directory, run, number < 10);
  }
}

}  // namespace knetsim::report
