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
  const auto document = read_json(file);
  std::vector<Place> places;
  for (const auto& item : JsonPlace(document, file.string()).items()) {
    Place place{item.at("name").text(), item.at("kind").text(), item.text_or_empty("on"), {}};
    if (item.has("addresses"))
      for (const auto& address : item.at("addresses").items()) place.addresses.push_back(address.text());
    places.push_back(std::move(place));
  }
  return places;
}

std::vector<std::size_t> ends_of_failure(const std::vector<Place>& places, const TestResult& test) {
  std::vector<std::size_t> ends;
  if (test.step) {
    find_in(places, test.step->from, ends);
    find_in(places, test.step->to, ends);
  }
  for (const auto& reason : test.reasons) find_in(places, reason.text, ends);
  return ends;
}

std::vector<std::size_t> path_between(const std::vector<Place>& places, const std::vector<std::size_t>& ends) {
  if (ends.size() < 2) return ends;
  auto from = up_from(places, ends[0]);
  auto to = up_from(places, ends[1]);
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
