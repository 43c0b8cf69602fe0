#include "doctor.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "text.h"
#include "version.h"

namespace knetsim::cli {

namespace {

std::string mark_of(Finding::State state, const Style& style) {
  switch (state) {
    case Finding::State::good:
      return style.green(kGood);
    case Finding::State::bad:
      return style.red(kBad);
    case Finding::State::optional:
      return style.yellow(kNeither);
  }
  std::abort();
}

std::string_view word_for(Finding::State state) {
  switch (state) {
    case Finding::State::good:
      return "good";
    case Finding::State::bad:
      return "bad";
    case Finding::State::optional:
      return "optional";
  }
  std::abort();
}

}  // namespace

bool healthy(const std::vector<Finding>& findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.state == Finding::State::bad; });
}

void print_findings(const std::vector<Finding>& findings, const Terminal& terminal, const Style& style) {
  std::size_t label = 0;
  for (const auto& finding : findings) label = std::max(label, width(finding.name));
  std::string group;
  for (const auto& finding : findings) {
    if (finding.group != group) {
      terminal.out << (group.empty() ? "" : "\n") << style.bold(finding.group) << '\n';
      group = finding.group;
    }
    auto lines = split_lines(finding.detail);
    terminal.out << "  " << mark_of(finding.state, style) << ' '
                 << pad_right(finding.name, lines.empty() ? 0 : label + 2) << (lines.empty() ? "" : lines.front())
                 << '\n';
    const std::string gap(label + 6, ' ');
    for (std::size_t i = 1; i < lines.size(); ++i) terminal.out << gap << lines[i] << '\n';
    if (!finding.remedy.empty()) terminal.out << gap << style.dim("remedy: " + finding.remedy) << '\n';
  }
  const auto bad = static_cast<std::size_t>(std::count_if(
      findings.begin(), findings.end(), [](const auto& finding) { return finding.state == Finding::State::bad; }));
  terminal.out << '\n'
               << (bad == 0 ? style.green(std::string(kGood) + " everything that the checks need is here")
                            : style.red(std::string(kBad) + " missing: " + count_of(bad, "thing")))
               << std::endl;
}

std::string to_json(const std::vector<Finding>& findings) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& finding : findings)
    list.push_back({{"group", finding.group},
                    {"name", finding.name},
                    {"state", word_for(finding.state)},
                    {"detail", finding.detail},
                    {"remedy", finding.remedy}});
  const nlohmann::ordered_json json{
      {"schema", "knetsim.doctor/1"}, {"version", version()}, {"healthy", healthy(findings)}, {"findings", list}};
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace knetsim::cli
