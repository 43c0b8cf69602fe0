#include "topology.h"

#include <algorithm>
#include <map>
#include <set>
namespace knetsim::report::html {

namespace {

constexpr int kBoxWidth = 96;
constexpr int kBoxHeight = 34;
constexpr int kGap = 10;
constexpr int kRow = 66;
// A crowd of a thousand workers is no picture: then only the path is drawn.
constexpr std::size_t kMostPlaces = 60;

/// A tree of switches, nodes and containers, drawn from the top: each place in the middle above what hangs on it.
class Drawing {
 public:
  Drawing(const std::vector<Place>& places, const std::vector<std::size_t>& path, bool wires)
      : places_(places), wires_(wires) {
    marked_.insert(path.begin(), path.end());
    std::map<std::string, std::size_t> by_name;
    for (std::size_t i = 0; i < places.size(); ++i) by_name.emplace(places[i].name, i);
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places.size() > kMostPlaces && !marked_.contains(i)) continue;
      const auto above = by_name.find(places[i].on);
      if (above == by_name.end() || above->second == i)
        roots_.push_back(i);
      else
        below_[above->second].push_back(i);
    }
    int left = 0;
    for (const auto root : roots_) left = lay_out(root, left, 0);
    width_ = std::max(left - kGap, kBoxWidth);
  }

  void write(Out& out, const std::string& words) const {
    const int height = (depth_ + 1) * kRow - (kRow - kBoxHeight);
    out.add("<svg class=topology viewBox=\"-2 -2 {} {}\" style=max-width:{}px role=img aria-label=\"{}\">\n",
            width_ + 4, height + 4, width_ + 4, escape_html(words));
    for (const auto& [above, children] : below_)
      for (const auto child : children) write_wire(out, above, child);
    for (const auto& [place, at] : at_) write_box(out, place, at);
    out.raw("</svg>\n");
  }

 private:
  struct At {
    int x;  // the middle
    int row;
  };

  /// Returns where the next one begins.
  int lay_out(std::size_t place, int left, int row) {
    // A ring in a damaged file ends here.
    if (!at_.emplace(place, At{left + kBoxWidth / 2, row}).second) return left;
    depth_ = std::max(depth_, row);
    int next = left;
    const auto below = below_.find(place);
    if (below != below_.end())
      for (const auto child : below->second) next = lay_out(child, next, row + 1);
    next = std::max(next, left + kBoxWidth + kGap);
    at_.at(place).x = (left + next - kGap) / 2;
    return next;
  }

  bool marked(std::size_t place) const { return marked_.contains(place); }

  void write_wire(Out& out, std::size_t above, std::size_t below) const {
    const auto from = at_.find(above);
    const auto to = at_.find(below);
    if (from == at_.end() || to == at_.end()) return;
    const auto y1 = from->second.row * kRow + kBoxHeight;
    const auto y2 = to->second.row * kRow;
    out.add("<path class=\"wire{}\" d=\"M{} {}C{} {} {} {} {} {}\"/>",
            wires_ && marked(above) && marked(below) ? " bad" : "", from->second.x, y1, from->second.x, (y1 + y2) / 2,
            to->second.x, (y1 + y2) / 2, to->second.x, y2);
  }

  void write_box(Out& out, std::size_t index, const At& at) const {
    const auto& place = places_[index];
    const auto slash = place.name.rfind('/');
    const auto name = slash == std::string::npos ? place.name : place.name.substr(slash + 1);
    const auto y = at.row * kRow;
    out.add("<g class=\"{}{}\"><rect x={} y={} width={} height={} rx=6 /><text x={} y={}>{}</text>",
            escape_html(place.kind), marked(index) ? " bad" : "", at.x - kBoxWidth / 2, y, kBoxWidth, kBoxHeight, at.x,
            y + (place.addresses.empty() ? 22 : 15), escape_html(name));
    if (!place.addresses.empty())
      out.add("<text class=address x={} y={}>{}</text>", at.x, y + 28, escape_html(place.addresses.front()));
    out.raw("</g>\n");
  }

  const std::vector<Place>& places_;
  bool wires_;  // the wires between marked places are marked too
  std::set<std::size_t> marked_;
  std::vector<std::size_t> roots_;
  std::map<std::size_t, std::vector<std::size_t>> below_;
  std::map<std::size_t, At> at_;
  int width_ = 0;
  int depth_ = 0;
};

std::string names_of(const std::vector<Place>& places, const std::vector<std::size_t>& path, const char* separator) {
  std::string words;
  for (const auto place : path) words += (words.empty() ? "" : separator) + places[place].name;
  return words;
}

}  // namespace

void write_topology(Out& out, const std::vector<Place>& places, const FailureEnds& ends) {
  const auto path = path_between(places, ends);
  if (places.empty() || (places.size() > kMostPlaces && path.empty())) return;
  const auto words = names_of(places, path, ends.known ? " – " : ", ");
  const auto* const what = !ends.known       ? "Named in the message"
                           : path.size() > 1 ? "The failing path"
                                             : "Where it failed";
  out.raw("<figure>\n");
  Drawing(places, path, ends.known)
      .write(out, "The topology of this test" + (words.empty() ? "" : fmt::format("; {}: {}", what, words)));
  if (!words.empty()) out.add("<figcaption>{}: {}</figcaption>\n", what, escape_html(words));
  out.raw("</figure>\n");
}

}  // namespace knetsim::report::html
