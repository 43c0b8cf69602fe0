#include <fmt/format.h>

#include "json_file.h"
#include "readers.h"

namespace knetsim::report {

namespace {

/// bench-boot and its kin: each result is named, and holds series {median, min, max, runs} and plain numbers.
void take_own(const JsonPlace& root, std::vector<Figure>& figures) {
  const auto bench = root["bench"].string();
  for (const auto& result : root["results"].elements()) {
    const auto name = result["name"].string();
    std::string unit;
    result.take("unit", unit, &JsonPlace::string);
    for (const auto& [member, series] : result.members()) {
      if (!series.value().is_object() || !series.has("median")) continue;
      const bool memory = member.find("_kib") != std::string::npos;
      Figure figure{fmt::format("{} {} {}", bench, name, member), memory ? "KiB" : unit, series["median"].real(), 0, 0};
      series.take("min", figure.low, &JsonPlace::real);
      series.take("max", figure.high, &JsonPlace::real);
      figures.push_back(std::move(figure));
    }
  }
}

double seconds_in(const JsonPlace& unit) {
  const auto text = unit.choice({"ns", "us", "ms", "s"});
  return text == "ns" ? 1e-9 : text == "us" ? 1e-6 : text == "ms" ? 1e-3 : 1;
}

/// Google Benchmark: with repetitions only the median is taken, else each run.
void take_google(const JsonPlace& root, std::vector<Figure>& figures) {
  const auto benchmarks = root["benchmarks"].elements();
  const auto aggregate_of = [](const JsonPlace& benchmark) {
    std::string aggregate;
    benchmark.take("aggregate_name", aggregate, &JsonPlace::string);
    return aggregate;
  };
  bool repeated = false;
  for (const auto& benchmark : benchmarks) repeated = repeated || aggregate_of(benchmark) == "median";
  for (const auto& benchmark : benchmarks) {
    if (benchmark.has("error_occurred") || aggregate_of(benchmark) != (repeated ? "median" : "")) continue;
    const auto name = benchmark[benchmark.has("run_name") ? "run_name" : "name"].string();
    const auto seconds = benchmark["real_time"].real() * seconds_in(benchmark["time_unit"]);
    figures.push_back({name, "s", seconds, seconds, seconds});
    for (const auto& [member, unit] : {std::pair{"bytes_per_second", "B/s"}, {"items_per_second", "items/s"}})
      if (const auto found = benchmark.find(member)) {
        const auto rate = found->real();
        figures.push_back({fmt::format("{} {}", name, unit), unit, rate, rate, rate});
      }
  }
}

}  // namespace

std::vector<Figure> read_bench(const std::filesystem::path& file) {
  const auto document = read_json_file(file);
  const JsonPlace root(document);
  std::vector<Figure> figures;
  if (root.has("benchmarks")) {
    take_google(root, figures);
  } else {
    if (root["schema"].value() != 1) root["schema"].refuse("this knetsim-report reads 1");
    take_own(root, figures);
  }
  return figures;
}

}  // namespace knetsim::report
