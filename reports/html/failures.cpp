#include <algorithm>

#include "causes.h"
#include "evidence.h"
#include "knetsim/sys/error.h"
#include "section.h"
#include "topology.h"

namespace knetsim::report::html {

namespace {

// More than that nobody reads, and a page must open.
constexpr std::size_t kMostFailures = 200;

void write_reason(Out& out, const Reason& reason) {
  if (!reason.file.empty()) out.add("<p class=place><code>{}:{}</code></p>\n", escape_html(reason.file), reason.line);
  out.add("<pre tabindex=0 role=group aria-label=\"failure message\">{}</pre>\n", escape_html(reason.text));
}

std::string range_of(const Failure& failure) {
  const auto commits = commits_between(failure.passed_at, failure.commit);
  return commits.empty() ? "" : fmt::format(": <code>{}</code>", escape_html(commits));
}

}  // namespace

std::string since(const View& view, const TestResult& test) {
  for (const auto& failure : view.comparison.still_failing)
    if (failure.test == &test)
      return fmt::format(" <span class=since>for {} nights, since {} <code>{}</code>{}</span>", failure.nights,
                         escape_html(failure.since.substr(0, 10)), escape_html(failure.commit.substr(0, kShortCommit)),
                         range_of(failure));
  if (view.comparison.history.nights.empty()) return {};
  for (const auto& failure : view.comparison.new_failures)
    if (failure.test == &test) return fmt::format(" <span class=since>new tonight{}</span>", range_of(failure));
  return " <span class=since>failed, then passed when run again</span>";
}

namespace {

std::vector<Place> places_of(Out& out, const std::filesystem::path& directory) {
  const auto file = directory / "evidence" / "topology.json";
  if (!std::filesystem::exists(file)) return {};
  try {
    return read_topology(file);
  } catch (const Error& error) {
    out.add("<p>{}</p>\n", escape_html(error.what()));
    return {};
  }
}

bool boot_failed(const TestResult& test) {
  return std::any_of(test.reasons.begin(), test.reasons.end(),
                     [](const Reason& reason) { return reason.text.find("thrown in SetUp()") != std::string::npos; });
}

/// `whole`: with picture and evidence; of several tests that failed for one reason one is enough.
void write_failure(Out& out, const View& view, const TestResult& test, bool whole, EvidenceBudget& budget) {
  const auto place = anchor(view, test);
  out.add(
      "<article id={0} aria-labelledby={0}-title class={1}>\n<h4 id={0}-title>{2}</h4>\n<p>{3} <code>{4}</code>, "
      "{5}{6}</p>\n",
      place, to_string(test.outcome), escape_html(in_words(short_name(test))), badge(test.outcome),
      escape_html(test.name), seconds_text(test.seconds), since(view, test));
  if (test.step)
    out.add("<p class=step>While <b>{}</b>{}<b>{}</b>: {}</p>\n", escape_html(test.step->from),
            test.step->to.empty() ? "" : " → ", escape_html(test.step->to), escape_html(test.step->what));
  for (const auto& reason : test.reasons) write_reason(out, reason);
  if (!whole && !test.evidence.empty()) out.add("<p>Evidence in <code>{}</code></p>\n", escape_html(test.evidence));
  if (whole && !test.boot.empty()) {
    out.add("<details{}><summary>Boot</summary>\n", boot_failed(test) ? " open" : "");
    write_timeline(out, test.boot);
    out.raw("</details>\n");
  }
  if (whole && !test.evidence.empty()) {
    const auto directory = view.report / test.evidence;
    const auto places = places_of(out, directory);
    const auto ends = ends_of_failure(places, test);
    write_topology(out, places, ends);
    write_evidence(out, directory, test, place, nodes_to_compare(places, ends), budget);
  }
  out.raw("</article>\n");
}

void write_cause(Out& out, const View& view, const Cause& cause, EvidenceBudget& budget) {
  const auto others = cause.tests.size() - 1;
  out.add("<div class=cause>\n<h3>{}</h3>\n", escape_html(cause.sentence));
  if (others > 0) out.add("<p>{} failed for this reason.</p>\n", count_of(cause.tests.size(), "test"));
  write_failure(out, view, *cause.tests.front(), true, budget);
  if (others > 0) {
    out.add("<details class=others><summary>{}</summary>\n",
            others == 1 ? "The other one" : fmt::format("The {} others", others));
    for (std::size_t i = 1; i < cause.tests.size() && i < kMostFailures; ++i)
      write_failure(out, view, *cause.tests[i], false, budget);
    if (cause.tests.size() > kMostFailures)
      out.add("<p>{} more; results.json has them all.</p>\n", cause.tests.size() - kMostFailures);
    out.raw("</details>\n");
  }
  out.raw("</div>\n");
}

}  // namespace

void write_failures(Out& out, const View& view) {
  EvidenceBudget budget;
  // What is new first.
  std::vector<const TestResult*> order;
  for (const auto& failure : view.comparison.new_failures) order.push_back(failure.test);
  for (const auto* flaky : view.comparison.flaky) order.push_back(flaky);
  for (const auto& failure : view.comparison.still_failing) order.push_back(failure.test);
  const auto causes = causes_of(order);
  for (std::size_t i = 0; i < causes.size() && i < kMostFailures; ++i) write_cause(out, view, causes[i], budget);
  if (causes.size() > kMostFailures)
    out.add("<p>{} more; results.json has them all.</p>\n", count_of(causes.size() - kMostFailures, "reason"));
}

}  // namespace knetsim::report::html
