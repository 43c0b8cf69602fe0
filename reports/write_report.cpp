#include "knetsim/sys/file.h"
#include "results.h"
#include "writers.h"

namespace knetsim::report {

void write_report(const std::filesystem::path& report, const RunResult& run, const Comparison& comparison) {
  make_directories(report);
  const auto write = [&](const char* name, const std::string& text) { write_file_atomically(report / name, text); };
  write("report.html", html_page(run, comparison, report));
  write("summary.md", summary_markdown(run, comparison));
  write("junit.xml", junit_xml(run, comparison));
  write("annotations.txt", annotations(run, comparison));
  write("bench.json", benchmark_json(run, false));
  write("bench-bigger.json", benchmark_json(run, true));
  // Last: who finds it finds the others too.
  write("results.json", to_json(run, comparison.regressions));
}

}  // namespace knetsim::report
