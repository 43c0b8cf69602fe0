#include "readers.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "json_file.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/text.h"

namespace knetsim::report {

namespace fs = std::filesystem;

namespace {

bool matches(const std::string& pattern, const std::string& test) {
  return ::fnmatch(pattern.c_str(), test.c_str(), FNM_NOESCAPE) == 0;
}

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

/// "src/flannel" for what lies below it, else the directory at the top.
std::string layer_of(std::string_view source, const fs::path& root) {
  const auto relative = fs::path(source).lexically_relative(root);
  auto part = relative.begin();
  if (part == relative.end() || *part == "..") return {};
  auto layer = part->string();
  if (layer == "src" && ++part != relative.end()) layer += "/" + part->string();
  return layer;
}

}  // namespace

AllowedSkips::AllowedSkips(const std::string& text, std::string name) : name_(std::move(name)) {
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = trim(std::string_view(text).substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    const auto hash = line.find('#');
    const std::string pattern(trim(line.substr(0, hash)));
    if (hash == std::string_view::npos || trim(line.substr(hash + 1)).empty())
      problems_.push_back(
          fmt::format("{}:{}: \"{}\" has no reason; write \"{}  # why\"", name_, number, pattern, pattern));
    if (std::find(patterns_.begin(), patterns_.end(), pattern) != patterns_.end())
      problems_.push_back(fmt::format("{}:{}: \"{}\" stands there twice", name_, number, pattern));
    patterns_.push_back(pattern);
  }
}

AllowedSkips AllowedSkips::read(const std::filesystem::path& file) {
  return {read_file(file), file.filename().string()};
}

bool AllowedSkips::allow(const std::string& test) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const auto& pattern) { return matches(pattern, test); });
}

std::vector<std::string> AllowedSkips::rotten(const std::vector<std::string>& tests) const {
  std::vector<std::string> result;
  for (const auto& pattern : patterns_)
    if (std::none_of(tests.begin(), tests.end(), [&](const auto& test) { return matches(pattern, test); }))
      result.push_back(fmt::format("{}: \"{}\" matches no test; delete the line", name_, pattern));
  return result;
}

void read_facts(const std::filesystem::path& file, RunResult& into) {
  const auto document = read_json_file(file);
  const JsonPlace at(document);
  require_schema(at, "knetsim.facts/1");
  into.started = at["started"].string();
  into.facts = texts_of(at["facts"]);
  into.tools = texts_of(at["tools"]);
  const auto shard = at.find("shard");
  if (!shard) return;
  into.shard = Shard{(*shard)["index"].integer<std::size_t>(), (*shard)["total"].integer<std::size_t>()};
  if (into.shard->index >= into.shard->total) shard->refuse("the index isn't below the total (indexes count from 0)");
}

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

std::vector<LayerCoverage> read_lcov(const fs::path& file, const fs::path& root) {
  const auto text = read_file(file);
  std::vector<LayerCoverage> layers;
  LayerCoverage* current = nullptr;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.starts_with("SF:")) {
      const auto name = layer_of(line.substr(3), root);
      auto known = std::find_if(layers.begin(), layers.end(), [&](const auto& layer) { return layer.layer == name; });
      if (known == layers.end()) known = layers.insert(known, {name, 0, 0});
      current = name.empty() ? nullptr : &*known;
    } else if ((line.starts_with("LF:") || line.starts_with("LH:")) && current != nullptr) {
      std::size_t count = 0;
      const auto [rest, error] = std::from_chars(line.data() + 3, line.data() + line.size(), count);
      if (error != std::errc{} || rest != line.data() + line.size())
        throw InputError(describe({.where = fmt::format("{}:{}", file.string(), number),
                                   .tried = "read a count of lines",
                                   .answer = std::string(line.substr(0, 40)),
                                   .remedy = "run ci/coverage again"}));
      (line[1] == 'F' ? current->lines : current->hit) += count;
    }
  }
  std::erase_if(layers, [](const LayerCoverage& layer) { return layer.layer.empty(); });
  if (layers.empty())
    throw InputError(describe({.where = file.string(),
                               .tried = "find source files below " + root.string(),
                               .answer = "the tracefile names none",
                               .remedy = "run ci/coverage again"}));
  return layers;
}

}  // namespace knetsim::report
