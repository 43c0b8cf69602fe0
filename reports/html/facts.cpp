// Coverage by layer, and what the run ran on.

#include "section.h"

namespace knetsim::report::html {

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

}  // namespace knetsim::report::html
