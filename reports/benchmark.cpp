#include <nlohmann/json.hpp>

#include "text.h"
#include "writers.h"

namespace knetsim::report {

std::string benchmark_json(const RunResult& run, bool bigger_is_better) {
  using OrderedJson = nlohmann::ordered_json;
  auto list = OrderedJson::array();
  for (const auto& figure : run.figures) {
    if (figure.bigger_is_better() != bigger_is_better) continue;
    OrderedJson entry{{"name", figure.name}, {"unit", figure.unit}, {"value", figure.value}};
    if (figure.high > figure.low)
      entry["range"] = figure_text(figure.low, figure.unit) + " - " + figure_text(figure.high, figure.unit);
    list.push_back(std::move(entry));
  }
  return list.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace knetsim::report
