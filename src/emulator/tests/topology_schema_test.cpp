// The reader and the schema know the same members, of the same types; and whatever a member is given instead, the
// complaint names file, line, place and remedy. The topology is the whole one of docs/topology.md.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "knetsim/emulator/topology.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim {
namespace {

using nlohmann::json;
using Pointer = json::json_pointer;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::string source_file(const std::string& name) { return read_file(std::string(KNETSIM_SOURCE) + "/" + name); }

const json& schema() {
  static const auto document = json::parse(source_file("fixtures/topology.schema.json"));
  return document;
}

/// The one in docs/topology.md.
json whole_topology() {
  const auto text = source_file("docs/topology.md");
  const auto begin = text.find("```json\n") + 8;
  return json::parse(text.substr(begin, text.find("```", begin) - begin));
}

const json& resolved(const json& part) {
  if (!part.contains("$ref")) return part;
  return resolved(schema().at(Pointer(part["$ref"].get<std::string>().substr(1))));
}

/// A place in the whole topology, and what the schema says of it.
struct Member {
  Pointer place;
  const json* schema;
};

/// Every value in the topology that the schema describes: those that stand below `place`, and itself.
void walk(const json& part, const json& value, const Pointer& place, std::vector<Member>& members) {
  const auto& here = resolved(part);
  members.push_back({place, &here});
  if (here.contains("properties"))
    for (const auto& [name, member] : here["properties"].items())
      if (value.contains(name)) walk(member, value[name], place / name, members);
  const auto* items = here.contains("items") ? &here["items"] : nullptr;
  if (here.contains("oneOf") && value.is_array()) items = &here["oneOf"][1]["items"];
  if (here.contains("oneOf") && value.is_object()) walk(here["oneOf"][1], value, place, members);
  if (items != nullptr)
    for (std::size_t i = 0; i < value.size(); ++i) walk(*items, value[i], place / i, members);
}

std::vector<Member> all_members(const json& topology) {
  std::vector<Member> members;
  walk(schema(), topology, Pointer(), members);
  return members;
}

/// What is said of it; empty: it is taken.
std::string complaint(const json& topology) {
  try {
    Topology::from_json(topology.dump(1), "mutated.json");
    return {};
  } catch (const InputError& error) {
    return error.what();
  }
}

/// The words behind "known here are ", as a set.
std::set<std::string> known_by(const std::string& complaint, const std::string& introduction) {
  const auto begin = complaint.find(introduction);
  if (begin == std::string::npos) return {};
  std::istringstream text(complaint.substr(begin + introduction.size()));
  std::set<std::string> names;
  for (std::string name; std::getline(text, name, ',');) names.insert(name.substr(name.find_first_not_of(' ')));
  return names;
}

std::set<std::string> names_in(const json& properties) {
  std::set<std::string> names;
  for (const auto& [name, member] : properties.items()) names.insert(name);
  return names;
}

TEST(TopologySchema, TheWholeExampleHasEveryMember) {
  const auto whole = whole_topology();
  EXPECT_EQ(complaint(whole), "");
  EXPECT_THAT(Topology::from_json(whole.dump(), "whole.json").remarks, IsEmpty());
  std::set<const json*> seen;
  for (const auto& member : all_members(whole)) seen.insert(member.schema);
  std::vector<std::string> missing;
  std::set<std::pair<std::string, std::string>> shown;
  for (const auto& [place, part] : all_members(whole))
    if (part->contains("properties"))
      for (const auto& [name, member] : (*part)["properties"].items())
        if (whole.at(place).contains(name)) shown.insert({(*part)["properties"].dump(), name});
  for (const auto& [place, part] : all_members(whole))
    if (part->contains("properties"))
      for (const auto& [name, member] : (*part)["properties"].items())
        if (!shown.contains({(*part)["properties"].dump(), name})) missing.push_back((place / name).to_string());
  EXPECT_THAT(missing, IsEmpty());
}

TEST(TopologySchema, TheReaderKnowsTheSameMembersAndNeedsTheSameOnes) {
  const auto whole = whole_topology();
  std::size_t objects = 0;
  for (const auto& [place, part] : all_members(whole)) {
    if (!part->contains("properties")) continue;
    ++objects;
    auto odd = whole;
    odd[place / "zz-unknown"] = 1;
    if (!part->contains(
            "additionalProperties")) {  // flannel's own: they are read in any case, and others only remarked
      const auto remarks = Topology::from_json(odd.dump(), "odd.json").remarks;
      ASSERT_THAT(remarks, SizeIs(1)) << place;
      EXPECT_THAT(remarks[0], HasSubstr("odd.json:1: " + (place / "zz-unknown").to_string()));
      EXPECT_EQ(known_by(remarks[0], "it knows "), names_in((*part)["properties"])) << place;
      continue;
    }
    const auto said = complaint(odd);
    EXPECT_THAT(said, HasSubstr((place / "zz-unknown").to_string())) << place;
    EXPECT_EQ(known_by(said, "known here are "), names_in((*part)["properties"])) << place;
    const auto required = part->value("required", json::array());
    for (const auto& name : names_in((*part)["properties"])) {
      if (!whole.at(place).contains(name)) continue;
      auto without = whole;
      without.at(place).erase(name);
      const bool needed = std::find(required.begin(), required.end(), name) != required.end();
      EXPECT_EQ(complaint(without).find("the key \"" + name + "\" is missing") != std::string::npos, needed)
          << place << " without " << name << ": " << complaint(without);
    }
  }
  EXPECT_GE(objects, 20U);
}

/// The words that may stand there, also where they are one form of several; nullptr: any.
const json* choices_of(const json& part) {
  const auto& here = resolved(part);
  if (here.contains("enum")) return &here["enum"];
  if (here.contains("oneOf"))
    for (const auto& one : here["oneOf"])
      if (const auto* choices = choices_of(one)) return choices;
  return nullptr;
}

TEST(TopologySchema, TheReaderKnowsTheSameChoices) {
  const auto whole = whole_topology();
  std::size_t choices = 0;
  for (const auto& [place, part] : all_members(whole)) {
    const auto* wanted = choices_of(*part);
    if (wanted == nullptr) continue;
    ++choices;
    auto odd = whole;
    odd[place] = "zz-unknown";
    const auto said = complaint(odd);
    EXPECT_EQ(known_by(said, "one of "), wanted->get<std::set<std::string>>()) << said;
  }
  EXPECT_GE(choices, 3U);
}

bool allows_type(const json& part, const json& value) {
  const auto& here = resolved(part);
  if (here.contains("oneOf"))
    return std::any_of(here["oneOf"].begin(), here["oneOf"].end(),
                       [&](const json& one) { return allows_type(one, value); });
  if (here.contains("enum")) return value.is_string();
  const auto types = here["type"].is_array() ? here["type"] : json::array({here["type"]});
  const auto is = [&](const std::string& type) {
    if (type == "integer") return value.is_number_unsigned();
    if (type == "boolean") return value.is_boolean();
    return type == value.type_name();
  };
  return std::any_of(types.begin(), types.end(), [&](const json& type) { return is(type.get<std::string>()); });
}

/// What no member is meant to be, as it is read.
std::vector<json> nasty_values() {
  json deep = json::array();
  for (int i = 0; i < 200; ++i) deep = json::array({deep});
  const std::vector<json> values{nullptr,
                                 true,
                                 0,
                                 -1,
                                 4294967296,
                                 18446744073709551615U,
                                 1e300,
                                 0.5,
                                 "",
                                 std::string("a\0b", 3),
                                 "\x1b[31m\n",
                                 std::string(5'000, 'x'),
                                 "10.0.0.3",
                                 json::array(),
                                 json::object(),
                                 json::array({nullptr}),
                                 json{{"a", 1}},
                                 deep};
  std::vector<json> read;
  for (const auto& value : values) read.push_back(json::parse(value.dump()));
  return read;
}

TEST(TopologySchema, WhateverAMemberIsGivenInsteadIsRefusedAtItsPlaceOrTaken) {
  const auto whole = whole_topology();
  std::size_t refused = 0;
  std::set<std::string> tried;
  for (const auto& [place, part] : all_members(whole)) {
    // The first element of a list stands for the others.
    if (!tried.insert(std::regex_replace(place.to_string(), std::regex("/[0-9]+"), "/[]")).second) continue;
    for (const auto& value : nasty_values()) {
      auto bad = whole;
      bad[place] = value;
      const auto said = complaint(bad);
      const auto what = place.to_string() + " = " + value.dump().substr(0, 60) + "\n" + said.substr(0, 500);
      if (allows_type(*part, value) && said.empty()) continue;
      ++refused;
      EXPECT_THAT(said, AllOf(ContainsRegex("^mutated.json:[0-9]+: /"), HasSubstr("remedy: "),
                              SizeIs(testing::Lt(2000U)), Not(HasSubstr("\x1b")), Not(HasSubstr("json.exception"))))
          << what;
      // A value of a wrong type is complained of where it stands; "" is the place of the whole.
      if (!allows_type(*part, value)) {
        EXPECT_THAT(said, HasSubstr(": " + (place.empty() ? "/" : place.to_string()))) << what;
      }
    }
  }
  EXPECT_GE(refused, 800U);
}

TEST(TopologySchema, AComplaintNamesTheLine) {
  const auto line_of = [](const std::string& text) {
    try {
      Topology::from_json(text, "t.json");
      return std::string("taken");
    } catch (const InputError& error) {
      const std::string said = error.what();
      return said.substr(0, said.find(": ", said.find(": ") + 2));
    }
  };
  EXPECT_EQ(line_of("{\n\"underlay\":\n {\"network\": 7}, \"clusters\": []}"), "t.json:3: /underlay/network");
  EXPECT_EQ(
      line_of("{\"underlay\": {\"network\": \"10.0.0.0/8\", \"switches\": [{\"name\": \"s0\"},\n\n{\"name\":\n5\n}]},"
              "\"clusters\": []}"),
      "t.json:4: /underlay/switches/1/name");
  EXPECT_EQ(line_of("{\n\n\"clusters\": []}"), "t.json:1: /underlay")
      << "what is missing is missing from what begins there";
  EXPECT_EQ(line_of("\n\n[]"), "t.json:3: /");
}

}  // namespace
}  // namespace knetsim
