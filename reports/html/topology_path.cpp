#include <algorithm>
#include <map>

#include "../json_file.h"
#include "topology.h"

namespace knetsim::report::html {

namespace {

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

std::vector<Place> read_topology(const std::filesystem::path& file) {
  const auto document = read_json_file(file);
  return JsonPlace(document).each([](const JsonPlace& at) {
    Place place{at["name"].string(), at["kind"].string(), {}, at.each("addresses", &JsonPlace::string)};
    at.take("on", place.on, &JsonPlace::string);
    return place;
  });
}

FailureEnds ends_of_failure(const std::vector<Place>& places, const TestResult& test) {
  for (const auto& reason : test.reasons)
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
