#include <nlohmann/json.hpp>

#include "text.h"
#include "writers.h"

namespace knetsim::report {

std::string benchmark_json(const RunResult& run, bool bigger_is_better) {
  using Json = nlohmann::ordered_json;
  auto list = Json::array();
  for (const auto& figure : run.figures) {
    if (figure.bigger_is_better() != bigger_is_better) continue;
    Json entry{{"name", figure.name}, {"unit", figure.unit}, {"value", figure.value}};
    if (figure.high > figure.low)
      entry["range"] = figure_text(figure.low, figure.unit) + " - " + figure_text(figure.high, figure.unit);
    list.push_back(std::move(entry));
  }
  return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace knetsim::report
