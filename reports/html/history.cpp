// What several nights tell: charts of figures, and the grid of tests x nights.

#include <algorithm>
#include <map>
#include <set>

#include "section.h"

namespace knetsim::report::html {

namespace {

constexpr int kWidth = 300;
constexpr int kHeight = 72;
constexpr std::size_t kMostRows = 200;

/// One figure over the nights: a line, its range, and the last value.
void write_chart(Out& out, const Figure& figure, const std::vector<double>& values) {
  const double low = *std::min_element(values.begin(), values.end());
  const double high = *std::max_element(values.begin(), values.end());
  const auto span = std::max(high - low, 1e-12);
  const auto x = [&](std::size_t i) {
    return values.size() < 2 ? kWidth / 2.0
                             : 4 + (kWidth - 8.0) * static_cast<double>(i) / static_cast<double>(values.size() - 1);
  };
  const auto y = [&](double value) { return kHeight - 6 - (kHeight - 12.0) * (value - low) / span; };
  const auto now = figure_text(values.back(), figure.unit);
  out.add("<figure class=chart><figcaption><span>{}</span> <b>{}</b></figcaption>\n", escape_html(figure.name), now);
  if (values.size() > 1) {
    out.add("<svg viewBox=\"0 0 {} {}\" role=img aria-label=\"{} over {}: from {} to {}, now {}\"><polyline points=\"",
            kWidth, kHeight, escape_html(figure.name), count_of(values.size(), "night"), figure_text(low, figure.unit),
            figure_text(high, figure.unit), now);
    for (std::size_t i = 0; i < values.size(); ++i) out.add("{:.1f},{:.1f} ", x(i), y(values[i]));
    out.add("\"/><circle cx={:.1f} cy={:.1f} r=3.5 /></svg>\n<p>{} – {}</p>", x(values.size() - 1), y(values.back()),
            figure_text(low, figure.unit), figure_text(high, figure.unit));
  } else if (figure.high > figure.low) {
    out.add("<p>{} – {}</p>", figure_text(figure.low, figure.unit), figure_text(figure.high, figure.unit));
  }
  out.raw("</figure>\n");
}

std::vector<double> values_of(const View& view, const Figure& figure) {
  std::vector<double> values;
  const auto found = view.comparison.history.figures.find(figure.name);
  if (found != view.comparison.history.figures.end() && found->second.unit == figure.unit)
    for (const auto& [night, value] : found->second.values) values.push_back(value);
  values.push_back(figure.value);
  return values;
}

bool trouble(Outcome outcome) {
  return outcome == Outcome::failed || outcome == Outcome::flaky || outcome == Outcome::missing;
}

struct Row {
  std::string name;
  const std::vector<Cell>* cells;
  const TestResult* tonight;
  std::uint32_t last_trouble;  ///< the night, or one beyond the last for tonight
};

std::vector<Row> rows_of(const View& view) {
  const auto& history = view.comparison.history;
  const auto tonight = static_cast<std::uint32_t>(history.nights.size());
  std::set<std::string_view> slower;
  for (const auto& slowdown : view.comparison.slower) slower.insert(slowdown.name);
  static const std::vector<Cell> never;
  std::vector<Row> rows;
  for (const auto& test : view.run.tests) {
    const auto found = history.tests.find(test.name);
    const auto& cells = found == history.tests.end() ? never : found->second;
    const auto last =
        std::find_if(cells.rbegin(), cells.rend(), [](const Cell& cell) { return trouble(cell.outcome); });
    if (trouble(test.outcome) || slower.contains(test.name))
      rows.push_back({test.name, &cells, &test, tonight});
    else if (last != cells.rend())
      rows.push_back({test.name, &cells, &test, last->night});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& one, const Row& other) { return one.last_trouble > other.last_trouble; });
  return rows;
}

void write_cell(Out& out, Outcome outcome) {
  out.add("<td class={}>{}", to_string(outcome), outcome == Outcome::passed ? "·" : mark(outcome));
}

void write_grid_row(Out& out, const View& view, const Row& row) {
  const auto place = anchor(view, *row.tonight);
  out.raw("<tr><th scope=row>");
  if (place.empty())
    out.raw(escape_html(row.name));
  else
    out.add("<a href=\"#{}\">{}</a>", place, escape_html(row.name));
  auto cell = row.cells->begin();
  for (std::uint32_t night = 0; night < view.comparison.history.nights.size(); ++night)
    if (cell != row.cells->end() && cell->night == night) {
      write_cell(out, cell->outcome);
      ++cell;
    } else {
      out.raw("<td>");
    }
  write_cell(out, row.tonight->outcome);
  out.raw("\n");
}

}  // namespace

void write_charts(Out& out, const View& view) {
  if (view.run.figures.empty()) return;
  const auto write = [&](const char* title, auto belongs) {
    Out charts;
    for (const auto& figure : view.run.figures)
      if (belongs(figure)) write_chart(charts, figure, values_of(view, figure));
    if (charts.size() > 0) out.add("<h3>{}</h3>\n<div class=charts>\n", title).raw(charts.text()).raw("</div>\n");
  };
  write("Times: less is better", [](const Figure& figure) { return figure.unit == "s"; });
  write("Throughput: more is better", [](const Figure& figure) { return figure.bigger_is_better(); });
  write("Other figures: less is better",
        [](const Figure& figure) { return figure.unit != "s" && !figure.bigger_is_better(); });
}

void write_grid(Out& out, const View& view) {
  const auto& nights = view.comparison.history.nights;
  const auto rows = nights.empty() ? std::vector<Row>{} : rows_of(view);
  if (rows.empty()) return;
  out.add(
      "<p>Only tests that failed, flaked or slowed in these {}; the latest trouble first. · passed, ✗ failed, "
      "≈ flaky, ? missing, – skipped, blank: it wasn't there.</p>\n"
      "<div class=scroll tabindex=0 role=region aria-label=\"Tests and nights\"><table class=grid><thead><tr>"
      "<th scope=col>Test",
      count_of(nights.size() + 1, "night"));
  for (const auto& night : nights)
    out.add("<th scope=col title=\"{} {}\"><span>{}</span>", escape_html(night.started),
            escape_html(night.commit.substr(0, 10)),
            escape_html(night.started.size() >= 10 ? night.started.substr(5, 5) : night.started));
  out.raw("<th scope=col><span>tonight</span></thead><tbody>\n");
  for (std::size_t i = 0; i < rows.size() && i < kMostRows; ++i) write_grid_row(out, view, rows[i]);
  out.raw("</tbody></table></div>\n");
  if (rows.size() > kMostRows) out.add("<p>and {} more</p>\n", rows.size() - kMostRows);
}

}  // namespace knetsim::report::html
