// Every output of one sample run, byte for byte. After a wanted change, KNETSIM_UPDATE_GOLDEN=1 writes them anew.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "html/section.h"
#include "knetsim/sys/file.h"
#include "results.h"
#include "sample.h"
#include "writers.h"

namespace knetsim::report {
namespace {

namespace fs = std::filesystem;

class GoldenTest : public testing::Test {
 protected:
  void SetUp() override { write_sample_history(scratch.path() / "history"); }

  Comparison comparison() { return compare(run, read_history(scratch.path() / "history", run.started)); }

  static void expect_golden(const std::string& name, const std::string& text) {
    const auto file = fs::path(KNETSIM_GOLDEN) / name;
    if (std::getenv("KNETSIM_UPDATE_GOLDEN") != nullptr) write_file_atomically(file, text);
    EXPECT_EQ(text, read_file(file)) << "differs from " << file;
  }

  static std::string without(std::string text, std::string_view part) {
    const auto at = text.find(part);
    return at == std::string::npos ? text : text.erase(at, part.size());
  }

  Scratch scratch;
  RunResult run = sample_run(scratch.path() / "report");
};

TEST_F(GoldenTest, ResultsJson) { expect_golden("results.json", to_json(run, comparison().regressions)); }
TEST_F(GoldenTest, JunitXml) { expect_golden("junit.xml", junit_xml(run, comparison())); }
TEST_F(GoldenTest, SummaryMd) { expect_golden("summary.md", summary_markdown(run, comparison())); }
TEST_F(GoldenTest, AnnotationsTxt) { expect_golden("annotations.txt", annotations(run, comparison())); }
TEST_F(GoldenTest, BenchJson) { expect_golden("bench.json", benchmark_json(run, false)); }
TEST_F(GoldenTest, BenchBiggerJson) { expect_golden("bench-bigger.json", benchmark_json(run, true)); }

TEST_F(GoldenTest, ReportHtml) {
  const auto page = html_page(run, comparison(), scratch.path() / "report");
  expect_golden("report.html", without(without(page, html::kStyle), html::kScript));
}

TEST_F(GoldenTest, ResultsJsonIsReadAsItWasWritten) {
  const auto file = scratch.write("results.json", to_json(run));
  EXPECT_EQ(to_json(read_results(file)), read_file(file));
}

}  // namespace
}  // namespace knetsim::report
