// What is said about single tests: the changes, the README's checks, the table of all.

#include <algorithm>
#include <map>

#include "causes.h"
#include "section.h"

namespace knetsim::report::html {

namespace {

// Of each list of changes; "All tests" has them all.
constexpr std::size_t kMostChanges = 100;
// A suite with a failure stands open, unless that makes the page slow.
constexpr std::size_t kMostOpen = 300;

std::string link(const View& view, const TestResult& test) {
  const auto place = anchor(view, test);
  const auto name = escape_html(test.name);
  return place.empty() ? fmt::format("<code>{}</code>", name)
                       : fmt::format("<a href=\"#{}\"><code>{}</code></a>", place, name);
}

template <typename Items, typename Line>
void write_list(Out& out, const char* kind, const std::string& heading, const Items& items, Line line) {
  if (items.empty()) return;
  out.add("<div class=\"card {}\"><h3>{}</h3>\n<ul>", kind, heading);
  for (std::size_t i = 0; i < items.size() && i < kMostChanges; ++i) out.raw("<li>").raw(line(items[i])).raw("\n");
  if (items.size() > kMostChanges) out.add("<li>and {} more\n", items.size() - kMostChanges);
  out.raw("</ul></div>\n");
}

std::string slowdown_line(const Slowdown& slower) {
  return fmt::format("<code>{}</code> {} → <b>{}</b> ({:+.0f}%, p&nbsp;{:.1g})", escape_html(slower.name),
                     figure_text(slower.before, slower.unit), figure_text(slower.after, slower.unit),
                     100 * slower.change(), slower.p);
}

/// The sentence, and below it who failed for it.
std::string cause_item(const View& view, const Cause& cause) {
  auto text = escape_html(cause.sentence);
  // What holds for all of them is said once.
  const auto common = since(view, *cause.tests.front());
  const bool all = std::all_of(cause.tests.begin(), cause.tests.end(),
                               [&](const TestResult* test) { return since(view, *test) == common; });
  if (all && !common.empty()) text += fmt::format("<small>{}</small>", common);
  for (std::size_t i = 0; i < cause.tests.size() && i < kMostNamesOfACause; ++i)
    text += fmt::format("<small>{}{}</small>", link(view, *cause.tests[i]), all ? "" : since(view, *cause.tests[i]));
  if (cause.tests.size() > kMostNamesOfACause)
    text += fmt::format("<small>and {} more</small>", cause.tests.size() - kMostNamesOfACause);
  return text;
}

/// A check, and the tests that prove it.
struct Check {
  std::string id;
  std::string title;
  std::vector<const TestResult*> tests;

  /// The worst of its tests'.
  Outcome outcome() const {
    for (const auto worst : {Outcome::failed, Outcome::missing, Outcome::flaky, Outcome::skipped})
      if (std::any_of(tests.begin(), tests.end(), [&](const TestResult* test) { return test->outcome == worst; }))
        return worst;
    return Outcome::passed;
  }
};

/// A README test that died before it could note its id is a check under its own name: nothing is left out silently.
std::vector<Check> checks_of(const RunResult& run) {
  std::vector<Check> checks;
  for (const auto& test : run.tests) {
    const bool readme = std::find(test.labels.begin(), test.labels.end(), "readme") != test.labels.end();
    if (test.check.empty() && !readme) continue;
    const auto name = short_name(test).substr(short_name(test).find('.') + 1);
    const auto id = test.check.empty() ? name : test.check;
    auto check = std::find_if(checks.begin(), checks.end(), [&](const Check& known) { return known.id == id; });
    if (check == checks.end()) check = checks.insert(check, {id, test.title.empty() ? in_words(name) : test.title, {}});
    check->tests.push_back(&test);
  }
  return checks;
}

void write_row(Out& out, const View& view, const TestResult& test) {
  const auto flavour = flavour_of(test);
  const auto place = anchor(view, test);
  const auto name = escape_html(short_name(test));
  out.add("<tr class={}><td>{}<td>", to_string(test.outcome), mark(test.outcome));
  if (place.empty())
    out.raw(name);
  else
    out.add("<a href=\"#{}\">{}</a>", place, name);
  if (test.outcome != Outcome::passed)
    out.add("<small>{}: {}</small>", to_string(test.outcome), escape_html(why(test)));
  out.add("<td>{}<td>{}\n", flavour, seconds_text(test.seconds));
}

}  // namespace

std::string anchor(const View& view, const TestResult& test) {
  if (test.outcome == Outcome::passed || test.outcome == Outcome::skipped) return {};
  return anchor_of(view.run, test);
}

void write_changes(Out& out, const View& view) {
  const auto& changes = view.comparison;
  if (changes.history.nights.empty() && changes.history.problems.empty()) return;
  const auto nights = changes.history.nights.size();
  out.add("<p>Compared with {} before{}.</p>\n<div class=cards>\n", count_of(nights, "night"),
          nights == 0 ? "" : ", the last one of " + escape_html(changes.history.nights.back().started.substr(0, 10)));
  const auto before = out.size();
  const auto item = [&](const Cause& cause) { return cause_item(view, cause); };
  const auto test = [&](const TestResult* one) { return link(view, *one); };
  write_list(out, "failed", heading_of_new_failures(changes), causes_of(changes.new_failures), item);
  write_list(out, "failed", fmt::format("{} still failing", changes.still_failing.size()),
             causes_of(changes.still_failing), item);
  write_list(out, "flaky", fmt::format("{} flaky", changes.flaky.size()), causes_of(changes.flaky), item);
  write_list(out, "flaky", fmt::format("{} slower", count_of(changes.slower.size(), "test")), changes.slower,
             slowdown_line);
  write_list(out, "flaky", fmt::format("{} worse", count_of(changes.slower_figures.size(), "figure")),
             changes.slower_figures, slowdown_line);
  write_list(out, "passed", fmt::format("{} fixed", changes.fixed.size()), changes.fixed, test);
  write_list(out, "skipped", fmt::format("{} gone", count_of(changes.gone.size(), "test")), changes.gone,
             [](const std::string& name) { return "<code>" + escape_html(name) + "</code>"; });
  write_list(out, "missing", "Nights that couldn't be read", changes.history.problems,
             [](const std::string& problem) { return escape_html(problem); });
  if (changes.coverage_change)
    out.add("<div class=card><h3>Coverage</h3><p>{:+.1f} points</p></div>\n", *changes.coverage_change);
  if (out.size() == before) out.raw("<p>Nothing has changed.</p>\n");
  out.raw("</div>\n");
}

void write_problems(Out& out, const View& view) {
  if (view.run.problems.empty()) return;
  out.raw("<p>Whatever the single tests say, these make the run red.</p>\n<ul class=problems>");
  const auto problems = joined(view.run.problems);
  for (std::size_t i = 0; i < problems.size() && i < 1000; ++i) out.add("<li>{}\n", escape_html(problems[i]));
  if (problems.size() > 1000) out.add("<li>and {} more\n", problems.size() - 1000);
  out.raw("</ul>\n");
}

void write_checks(Out& out, const View& view) {
  const auto checks = checks_of(view.run);
  if (checks.empty()) return;
  out.raw(
      "<table class=checks><thead><tr><th scope=col>Check<th scope=col>The statement<th scope=col>Result"
      "<th scope=col class=n>Time</thead><tbody>\n");
  for (const auto& check : checks) {
    double seconds = 0;
    for (const auto* test : check.tests) seconds += test->seconds;
    const auto place = anchor(view, *check.tests.front());
    const auto outcome = badge(check.outcome());
    out.add("<tr><th scope=row><code>{}</code><td>{}<td>{}<td class=n>{}\n", escape_html(check.id),
            escape_html(check.title), place.empty() ? outcome : fmt::format("<a href=\"#{}\">{}</a>", place, outcome),
            seconds_text(seconds));
  }
  out.raw("</tbody></table>\n");
}

void write_suites(Out& out, const View& view) {
  if (view.run.tests.empty()) return;
  std::map<std::string, std::vector<const TestResult*>> suites;
  for (const auto& test : view.run.tests) suites[suite_of(test)].push_back(&test);
  out.raw(
      "<form id=filter role=search hidden><label>Search <input type=search id=words placeholder=\"name, flavour or "
      "reason\"></label>\n<fieldset><legend>Show</legend>");
  for (const auto outcome : {Outcome::failed, Outcome::missing, Outcome::flaky, Outcome::skipped, Outcome::passed})
    if (view.run.count(outcome) > 0)
      out.add("<label class={0}><input type=checkbox name=outcome value={0} checked> {0}</label>", to_string(outcome));
  out.raw("</fieldset>\n<output id=found aria-live=polite></output></form>\n");
  for (const auto& [name, tests] : suites) {
    const auto bad = std::count_if(tests.begin(), tests.end(), [](const TestResult* test) {
      return test->outcome != Outcome::passed && test->outcome != Outcome::skipped;
    });
    double seconds = 0;
    for (const auto* test : tests) seconds += test->seconds;
    out.add(
        "<details class=suite{}><summary><b>{}</b> <span>{}{}, {}</span></summary>\n"
        "<table><thead><tr><th scope=col>Result<th scope=col>Test<th scope=col>Flavour<th scope=col>Time</thead>"
        "<tbody>\n",
        bad > 0 && tests.size() <= kMostOpen ? " open" : "", escape_html(name), count_of(tests.size(), "test"),
        bad > 0 ? fmt::format(", <em>{} bad</em>", bad) : "", seconds_text(seconds));
    for (const auto* test : tests) write_row(out, view, *test);
    out.raw("</tbody></table></details>\n");
  }
}

}  // namespace knetsim::report::html
