#include <algorithm>
#include <map>

#include "section.h"
#include "statistics.h"

namespace knetsim::report::html {

namespace {

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

}  // namespace

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

}  // namespace knetsim::report::html
