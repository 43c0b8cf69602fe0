#include <fmt/format.h>

#include "json_file.h"
#include "knetsim/sys/json.h"
#include "readers.h"

namespace knetsim::report {

namespace {

using Json = nlohmann::json;

/// bench-boot and its kin: each result is named, and holds series {median, min, max, runs} and plain numbers.
void take_own(const JsonPlace& root, std::vector<Figure>& figures) {
  const auto bench = root.at("bench").text();
  for (const auto& result : root.at("results").items()) {
    const auto name = result.at("name").text();
    const auto unit = result.text_or_empty("unit");
    for (const auto& [member, value] : result.value().items()) {
      if (!value.is_object() || !value.contains("median")) continue;
      const auto series = result.at(member.c_str());
      const bool memory = member.find("_kib") != std::string::npos;
      figures.push_back({fmt::format("{} {} {}", bench, name, member), memory ? "KiB" : unit,
                         series.at("median").number(), series.number_or_zero("min"), series.number_or_zero("max")});
    }
  }
}

double seconds_in(const JsonPlace& benchmark) {
  const auto unit = benchmark.at("time_unit").text();
  if (unit == "ns") return 1e-9;
  if (unit == "us") return 1e-6;
  if (unit == "ms") return 1e-3;
  if (unit != "s") benchmark.refuse(fmt::format("the time unit \"{}\" is unknown", unit));
  return 1;
}

/// Google Benchmark: with repetitions only the median is taken, else each run.
void take_google(const JsonPlace& root, std::vector<Figure>& figures) {
  const auto benchmarks = root.at("benchmarks").items();
  bool repeated = false;
  for (const auto& benchmark : benchmarks) repeated = repeated || benchmark.text_or_empty("aggregate_name") == "median";
  for (const auto& benchmark : benchmarks) {
    const auto aggregate = benchmark.text_or_empty("aggregate_name");
    if (benchmark.has("error_occurred") || aggregate != (repeated ? "median" : "")) continue;
    auto name = benchmark.has("run_name") ? benchmark.at("run_name").text() : benchmark.at("name").text();
    const auto seconds = benchmark.at("real_time").number() * seconds_in(benchmark);
    figures.push_back({name, "s", seconds, seconds, seconds});
    for (const auto& [member, unit] : {std::pair{"bytes_per_second", "B/s"}, {"items_per_second", "items/s"}})
      if (benchmark.has(member)) {
        const auto rate = benchmark.at(member).number();
        figures.push_back({fmt::format("{} {}", name, unit), unit, rate, rate, rate});
      }
  }
}

}  // namespace

std::vector<Figure> read_bench(const std::filesystem::path& file) {
  const auto document = read_json(file);
  const JsonPlace root(document, file.string());
  std::vector<Figure> figures;
  if (root.has("benchmarks")) {
    take_google(root, figures);
  } else {
    const auto schema = root.at("schema");
    if (schema.value() != 1)
      schema.refuse(fmt::format("it is {}, and this knetsim-report reads 1", json_excerpt(schema.value())));
    take_own(root, figures);
  }
  return figures;
}

}  // namespace knetsim::report
