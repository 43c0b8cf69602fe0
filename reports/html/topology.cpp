#include "topology.h"

#include <algorithm>
#include <map>
#include <set>

#include "../json_file.h"
#include "knetsim/sys/failure.h"

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

constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

std::size_t find(const std::vector<Place>& places, std::string_view name) {
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i].name == name) return i;
  for (std::size_t i = 0; i < places.size(); ++i)
    for (const auto& address : places[i].addresses)
      if (address == name) return i;
  return kNowhere;
}

bool belongs_to_a_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == ':' ||
         c == '/' || c == '-' || c == '_';
}

/// Names and addresses of the topology, in the order in which the text says them.
void find_in(const std::vector<Place>& places, std::string_view text, std::vector<std::size_t>& ends) {
  for (std::size_t at = 0; at < text.size() && ends.size() < 2;) {
    if (!belongs_to_a_name(text[at])) {
      ++at;
      continue;
    }
    auto end = at;
    while (end < text.size() && belongs_to_a_name(text[end])) ++end;
    auto word = text.substr(at, end - at);
    at = end;
    while (!word.empty() && (word.back() == '.' || word.back() == ':')) word.remove_suffix(1);
    const auto place = find(places, word);
    if (place != kNowhere && std::find(ends.begin(), ends.end(), place) == ends.end()) ends.push_back(place);
  }
}

/// The ends of "path: w1/c1 -> 11.10.16.2", as far as they are places of the topology.
std::vector<std::size_t> stated_path(const std::vector<Place>& places, std::string_view text) {
  constexpr std::string_view kKey = "path: ";
  constexpr std::string_view kArrow = " -> ";
  for (auto at = text.find(kKey); at != std::string_view::npos; at = text.find(kKey, at + 1)) {
    const auto rest = text.substr(at + kKey.size());
    const auto arrow = rest.find(kArrow);
    if (arrow == std::string_view::npos || rest.substr(0, arrow).find_first_of(" \n") != std::string_view::npos)
      continue;
    auto to = rest.substr(arrow + kArrow.size());
    to = to.substr(0, std::find_if_not(to.begin(), to.end(), belongs_to_a_name) - to.begin());
    std::vector<std::size_t> ends;
    for (const auto word : {rest.substr(0, arrow), to})
      if (const auto place = find(places, word); place != kNowhere) ends.push_back(place);
    if (!ends.empty()) return ends;
  }
  return {};
}

/// From a place up to the root. A damaged file may hold a ring.
std::vector<std::size_t> up_from(const std::vector<Place>& places, std::size_t place) {
  std::vector<std::size_t> way;
  while (place != kNowhere && std::find(way.begin(), way.end(), place) == way.end()) {
    way.push_back(place);
    const auto& on = places[place].on;
    place = on.empty() ? kNowhere : find(places, on);
  }
  return way;
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

std::vector<Place> read_topology(const std::filesystem::path& file) {
  const auto document = read_json_file(file);
  return JsonPlace(document).each([](const JsonPlace& at) {
    Place place{at["name"].string(), at["kind"].string(), {}, at.each("addresses", &JsonPlace::string)};
    at.take("on", place.on, &JsonPlace::string);
    return place;
  });
}

FailureEnds ends_of_failure(const std::vector<Place>& places, const TestResult& test) {
  // Where a reason is the cause of the others, its path ends where the packet was lost.
  for (const bool cause : {true, false})
    for (const auto& reason : test.reasons)
      if ((reason.text.find(kTheCause) != std::string::npos) == cause)
        if (auto ends = stated_path(places, reason.text); !ends.empty()) return {std::move(ends), true};
  FailureEnds ends;
  if (test.step) {
    for (const auto& name : {test.step->from, test.step->to})
      if (const auto place = find(places, name); place != kNowhere) ends.places.push_back(place);
    ends.known = !ends.places.empty();
    if (ends.known) return ends;
  }
  for (const auto& reason : test.reasons) find_in(places, reason.text, ends.places);
  return ends;
}

std::pair<std::string, std::string> nodes_to_compare(const std::vector<Place>& places, const FailureEnds& ends) {
  std::vector<std::size_t> nodes;
  const auto add = [&](std::size_t place) {
    if (std::find(nodes.begin(), nodes.end(), place) == nodes.end()) nodes.push_back(place);
  };
  for (auto place : ends.places) {
    const auto way = up_from(places, place);
    const auto worker =
        std::find_if(way.begin(), way.end(), [&](std::size_t one) { return places[one].kind == "worker"; });
    if (worker != way.end())
      add(*worker);
    else if (places[place].kind != "switch")
      add(place);
  }
  const std::string kind = nodes.empty() ? "worker" : places[nodes.front()].kind;
  for (std::size_t i = 0; i < places.size() && nodes.size() < 2; ++i)
    if (places[i].kind == kind) add(i);
  return {nodes.empty() ? "" : places[nodes[0]].name, nodes.size() < 2 ? "" : places[nodes[1]].name};
}

std::vector<std::size_t> path_between(const std::vector<Place>& places, const FailureEnds& ends) {
  if (!ends.known || ends.places.size() < 2) return ends.places;
  auto from = up_from(places, ends.places[0]);
  auto to = up_from(places, ends.places[1]);
  // The last common one, seen from the root, is where the two ways meet.
  std::size_t meeting = kNowhere;
  while (!from.empty() && !to.empty() && from.back() == to.back()) {
    meeting = from.back();
    from.pop_back();
    to.pop_back();
  }
  if (meeting != kNowhere) from.push_back(meeting);
  from.insert(from.end(), to.rbegin(), to.rend());
  return from;
}

}  // namespace knetsim::report::html
