#include <algorithm>

#include "evidence.h"
#include "knetsim/report/judge.h"
#include "section.h"
#include "topology.h"

namespace knetsim::report::html {

namespace {

// More than that nobody reads, and a page must open.
constexpr std::size_t kMost = 200;

void write_reason(Out& out, const Reason& reason) {
  if (!reason.file.empty()) out.add("<p class=place><code>{}:{}</code></p>\n", escape_html(reason.file), reason.line);
  out.add("<pre tabindex=0 role=group aria-label=\"failure message\">{}</pre>\n", escape_html(reason.text));
}

std::string since(const View& view, const TestResult& test) {
  for (const auto& failure : view.comparison.still_failing)
    if (failure.test == &test)
      return fmt::format(" <span class=since>for {} nights, since {} <code>{}</code></span>", failure.nights,
                         escape_html(failure.since.substr(0, 10)), escape_html(failure.commit.substr(0, 10)));
  if (view.comparison.history.nights.empty()) return {};
  return test.outcome == Outcome::flaky ? " <span class=since>failed, then passed when run again</span>"
                                        : " <span class=since>new tonight</span>";
}

void write_failure(Out& out, const View& view, const TestResult& test, EvidenceBudget& budget) {
  const auto place = anchor(view, test);
  out.add(
      "<article id={0} aria-labelledby={0}-title class={1}>\n<h3 id={0}-title>{2}</h3>\n<p>{3} <code>{4}</code>, "
      "{5}{6}</p>\n",
      place, to_string(test.outcome), escape_html(in_words(short_name(test))), badge(test.outcome),
      escape_html(test.name), seconds_text(test.seconds), since(view, test));
  if (test.step)
    out.add("<p class=step>While <b>{}</b> → <b>{}</b>: {}</p>\n", escape_html(test.step->from),
            escape_html(test.step->to), escape_html(test.step->what));
  for (const auto& reason : test.reasons) write_reason(out, reason);
  if (!test.evidence.empty()) {
    const auto directory = view.report / test.evidence;
    write_topology(out, directory, test);
    if (!test.boot.empty()) {
      out.raw("<h4>Boot</h4>\n");
      write_timeline(out, test.boot);
    }
    write_evidence(out, directory, test, place, budget);
  }
  out.raw("</article>\n");
}

}  // namespace

void write_failures(Out& out, const View& view) {
  EvidenceBudget budget;
  std::size_t count = 0;
  // What is new first.
  std::vector<const TestResult*> order;
  for (const auto& failure : view.comparison.new_failures) order.push_back(failure.test);
  for (const auto* flaky : view.comparison.flaky) order.push_back(flaky);
  for (const auto& failure : view.comparison.still_failing) order.push_back(failure.test);
  for (const auto* test : order) {
    if (count++ == kMost) {
      out.add("<p>{} more failed; results.json has them all.</p>\n", order.size() - kMost);
      break;
    }
    write_failure(out, view, *test, budget);
  }
}

}  // namespace knetsim::report::html
