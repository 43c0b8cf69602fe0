#include <algorithm>
#include <array>
#include <map>

#include "judge.h"
#include "section.h"
#include "statistics.h"
#include "writers.h"

namespace knetsim::report {

namespace html {

namespace {

constexpr std::array kOutcomes{Outcome::failed, Outcome::missing, Outcome::flaky, Outcome::skipped, Outcome::passed};

/// A bar as wide as the page, in which each outcome has its share, and what it means in numbers below.
void write_totals(Out& out, const RunResult& run) {
  out.raw("<div class=bar aria-hidden=true>");
  for (const auto outcome : kOutcomes)
    if (const auto count = run.count(outcome); count > 0)
      out.add("<i class={} style=flex-grow:{}></i>", to_string(outcome), count);
  out.raw("</div>\n<ul class=totals>");
  for (const auto outcome : kOutcomes)
    if (const auto count = run.count(outcome); count > 0 || outcome == Outcome::passed || outcome == Outcome::failed)
      out.add("<li class={0}><span aria-hidden=true>{1}</span> <b>{2}</b> {0}", to_string(outcome), mark(outcome),
              count);
  out.raw("</ul>\n");
}

/// What a fact says becomes a link only if it can be nothing else.
bool is_web_address(const std::string& url) { return url.starts_with("https://"); }

/// Short, as people read it; whole in its title and behind its link.
std::string commit_link(const RunResult& run, const std::string& commit) {
  const auto shown =
      fmt::format("<code title=\"{}\">{}</code>", escape_html(commit), escape_html(commit.substr(0, kShortCommit)));
  const auto commits = run.fact("commits");
  return is_web_address(commits) ? fmt::format("<a href=\"{}\">{}</a>", escape_html(commits + commit), shown) : shown;
}

void write_last_green(Out& out, const View& view) {
  if (!view.comparison.last_green) return;
  const auto& green = *view.comparison.last_green;
  out.add("<p class=about>Last green: {} ", escape_html(green.started.substr(0, 10)));
  if (!green.commit.empty()) out.raw(commit_link(view.run, green.commit));
  if (const auto range = commits_between(green.commit, view.run.fact("commit")); !range.empty())
    out.add(", since then <code>{}</code>", escape_html(range));
  out.raw("</p>\n");
}

void write_header(Out& out, const View& view) {
  const auto& run = view.run;
  const auto reasons = reasons_for_red(run, view.comparison.regressions);
  const auto* verdict = reasons.empty() ? "green" : "red";
  const auto title = reasons.empty()       ? std::string("Green: everything that was promised holds")
                     : reasons.size() == 1 ? "Red: " + reasons.front()
                                           : std::string("Red");
  out.add(
      "<header class={}>\n<div class=top><p class=brand>knetsim</p>"
      "<button id=theme type=button hidden>Dark</button></div>\n<h1>{}</h1>\n",
      verdict, escape_html(title));
  if (reasons.size() > 1) {
    out.raw("<ul class=reasons>");
    for (const auto& reason : reasons) out.add("<li>{}", escape_html(reason));
    out.raw("</ul>\n");
  }
  write_totals(out, run);
  out.raw("<p class=about>");
  out.add("<time datetime=\"{0}\">{0}</time>, {1}", escape_html(run.started), seconds_text(run.seconds));
  if (const auto commit = run.fact("commit"); !commit.empty()) out.add(" · commit ").raw(commit_link(run, commit));
  for (const auto* name : {"branch", "kernel", "preset"})
    if (const auto value = run.fact(name); !value.empty()) out.add(" · {} <code>{}</code>", name, escape_html(value));
  if (run.shard) out.add(" · shard {} of {}", run.shard->index, run.shard->total);
  if (const auto url = run.fact("url"); is_web_address(url))
    out.add(" · <a href=\"{}\">the run and its artefacts</a>", escape_html(url));
  out.raw("</p>\n");
  if (!reasons.empty()) write_last_green(out, view);
  out.raw("</header>\n");
}

std::string cluster_of(const BootPart& part) { return part.name.substr(0, part.name.find(": ")); }

/// Each part's median over the README's tests, which all boot the same network.
std::vector<BootPart> median_boot(const RunResult& run) {
  std::map<std::string, std::vector<double>> parts;
  for (const auto& test : run.tests)
    if (suite_of(test) == "suite-readme")
      for (const auto& part : test.boot) parts[part.name].push_back(part.seconds);
  std::vector<BootPart> result;
  for (auto& [name, seconds] : parts) result.push_back({name, median(std::move(seconds))});
  return result;
}

struct Section {
  const char* id;
  const char* title;
  void (*write)(Out&, const View&);
};

constexpr std::array kSections{Section{"changes", "Since last night", write_changes},
                               Section{"problems", "Why this run can't be believed", write_problems},
                               Section{"checks", "What the README promises", write_checks},
                               Section{"failures", "Failures", write_failures},
                               Section{"suites", "All tests", write_suites},
                               Section{"boot", "How long booting takes", write_boot},
                               Section{"figures", "Figures", write_charts},
                               Section{"grid", "Tests × nights", write_grid},
                               Section{"coverage", "Coverage", write_coverage},
                               Section{"facts", "What it ran on", write_facts}};

}  // namespace

std::string_view mark(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed:
      return "✓";
    case Outcome::failed:
      return "✗";
    case Outcome::skipped:
      return "–";
    case Outcome::flaky:
      return "≈";
    case Outcome::missing:
      break;
  }
  return "?";
}

std::string badge(Outcome outcome) {
  return fmt::format("<span class=\"badge {0}\"><span aria-hidden=true>{1}</span> {0}</span>", to_string(outcome),
                     mark(outcome));
}

void write_timeline(Out& out, const std::vector<BootPart>& parts) {
  auto order = parts;
  std::stable_sort(order.begin(), order.end(), [](const BootPart& one, const BootPart& other) {
    return std::pair(cluster_of(one), one.seconds) < std::pair(cluster_of(other), other.seconds);
  });
  double longest = 1e-6;
  for (const auto& part : order) longest = std::max(longest, part.seconds);
  std::map<std::string, double> ready;  // of each cluster, so far
  out.raw(
      "<table class=timeline><thead><tr><th scope=col>Part<th scope=col>Takes<th scope=col>Stands after"
      "<th scope=col><span class=hidden>as a bar</span></thead><tbody>\n");
  for (const auto& part : order) {
    auto& begin = ready[cluster_of(part)];
    out.add(
        "<tr><th scope=row>{}<td class=n>{}<td class=n>{}<td class=track><i style=\"margin-left:{:.1f}%;"
        "width:{:.1f}%\"></i>\n",
        escape_html(part.name), seconds_text(part.seconds - begin), seconds_text(part.seconds), 100 * begin / longest,
        std::max(0.4, 100 * (part.seconds - begin) / longest));
    begin = part.seconds;
  }
  out.raw("</tbody></table>\n");
}

void write_boot(Out& out, const View& view) {
  const auto parts = median_boot(view.run);
  if (parts.empty()) return;
  out.raw(
      "<p>The README's network, part by part: the median of the tests that boot it. Clusters boot side by side.</p>\n");
  write_timeline(out, parts);
}

void write_coverage(Out& out, const View& view) {
  const auto covered = view.run.covered();
  if (!covered) return;
  out.add(
      "<p><b>{:.1f}%</b> of lines ran; at least {:.0f}% must.</p>\n<table class=timeline><thead><tr><th scope=col>Layer"
      "<th scope=col>Covered<th scope=col>Lines<th scope=col><span class=hidden>as a bar</span></thead><tbody>\n",
      *covered, kLeastCovered);
  for (const auto& layer : view.run.coverage) {
    const auto share = layer.lines == 0 ? 0 : 100.0 * static_cast<double>(layer.hit) / static_cast<double>(layer.lines);
    out.add("<tr><th scope=row>{}<td class=n>{:.1f}%<td class=n>{} / {}<td class=track><i style=width:{:.1f}%></i>\n",
            escape_html(layer.layer), share, layer.hit, layer.lines, share);
  }
  out.raw("</tbody></table>\n");
}

void write_facts(Out& out, const View& view) {
  if (view.run.facts.empty() && view.run.tools.empty()) return;
  const auto write = [&](const std::map<std::string, std::string>& facts) {
    out.raw("<dl>");
    for (const auto& [name, value] : facts) out.add("<div><dt>{}<dd>{}</div>\n", escape_html(name), escape_html(value));
    out.raw("</dl>\n");
  };
  write(view.run.facts);
  if (!view.run.tools.empty()) {
    out.raw("<h3>Tools</h3>\n");
    write(view.run.tools);
  }
}

}  // namespace html

std::string html_page(const RunResult& run, const Comparison& comparison, const std::filesystem::path& report) {
  using namespace html;
  const View view{run, comparison, report};
  const bool green = reasons_for_red(run, comparison.regressions).empty();
  Out navigation;
  Out body;
  for (const auto& [id, title, write] : kSections) {
    Out content;
    write(content, view);
    if (content.size() == 0) continue;
    navigation.add("<li><a href=\"#{}\">{}</a>", id, title);
    body.add("<section id={0} aria-labelledby={0}-title>\n<h2 id={0}-title>{1}</h2>\n", id, title);
    body.raw(content.text()).raw("</section>\n");
  }
  Out page;
  // No page that this one came from, and no network: everything is inside, and nothing else may be loaded.
  page.raw(
      "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
      "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src 'unsafe-inline'; img-src data:\">\n<meta name=color-scheme content=\"light dark\">\n");
  page.add("<title>knetsim: {} {}</title>\n", green ? "green" : "red", escape_html(run.fact("commit").substr(0, 10)));
  page.raw("<style>\n")
      .raw(kStyle)
      .raw("</style>\n</head>\n<body>\n<a class=skip href=#main>Skip to the results</a>\n");
  write_header(page, view);
  page.raw("<nav aria-label=Sections><ul>").raw(navigation.text()).raw("</ul></nav>\n<main id=main>\n");
  page.raw(body.text()).raw("</main>\n<footer>knetsim-report ").raw(escape_html(run.version));
  page.raw("</footer>\n<script>\n").raw(kScript).raw("</script>\n</body>\n</html>\n");
  return page.text();
}

}  // namespace knetsim::report
