// The requests of 137 commands of kubectl 1.32 and what a real server of that version answered, one after the other.
// Left out of the recording: discovery and OpenAPI, watches, logs and exec, and kinds that aren't served here.
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;

constexpr const char* kTable =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

/// Values that each server makes for itself: recorded -> ours.
class Translation {
 public:
  /// Notes them where both answers have them at the same place, and makes the recorded ones ours.
  void learn(json& recorded, const json& ours, const std::string& member = {}) {
    if (recorded.is_object() && ours.is_object()) {
      for (auto& [key, value] : recorded.items())
        if (ours.contains(key)) learn(value, ours[key], key);
    } else if (recorded.is_array() && ours.is_array()) {
      for (std::size_t i = 0; i < std::min(recorded.size(), ours.size()); ++i) learn(recorded[i], ours[i], member);
    } else if (kOwn.contains(member) && recorded.type() == ours.type()) {
      if (recorded.is_string()) texts_[recorded.get<std::string>()] = ours.get<std::string>();
      if (recorded.is_number()) numbers_[recorded.get<int>()] = ours.get<int>();
      recorded = ours;
    }
  }

  json apply(const json& sent, const std::string& member = {}) const {
    json result = sent;
    if (sent.is_object())
      for (auto& [key, value] : result.items()) value = apply(value, key == "value" ? member_of_patch(sent) : key);
    if (sent.is_array())
      for (auto& value : result) value = apply(value, member);
    if (!kOwn.contains(member)) return result;
    if (sent.is_string() && texts_.contains(sent.get<std::string>())) return texts_.at(sent.get<std::string>());
    if (sent.is_number_integer() && numbers_.contains(sent.get<int>())) return numbers_.at(sent.get<int>());
    return result;
  }

  /// Long values alone: in a path 12 may be anything.
  std::string apply(std::string target) const {
    for (const auto& [recorded, ours] : texts_) {
      constexpr std::size_t kLong = 16;
      if (recorded.size() < kLong) continue;
      for (auto at = target.find(recorded); at != std::string::npos; at = target.find(recorded, at + ours.size()))
        target.replace(at, recorded.size(), ours);
    }
    return target;
  }

 private:
  /// What an operation of a JSON patch writes to: "resourceVersion".
  static std::string member_of_patch(const json& operation) {
    const auto path = operation.value("path", "");
    return path.substr(path.rfind('/') + 1);
  }

  inline static const std::set<std::string> kOwn{
      "uid",       "resourceVersion", "creationTimestamp", "deletionTimestamp",   "continue",
      "clusterIP", "clusterIPs",      "nodePort",          "healthCheckNodePort", "remainingItemCount"};
  std::map<std::string, std::string> texts_;
  std::map<int, int> numbers_;
};

// Where the recording was cut.
constexpr std::size_t kRows = 3;
constexpr std::size_t kItems = 4;

/// A Table as the recording has it: the names of four columns, and as many cells of each row.
json condensed(const json& table) {
  json result{{"kind", "Table"}, {"columns", json::array()}, {"rows", json::array()}, {"metadata", table["metadata"]}};
  constexpr std::size_t kColumns = 4;
  for (std::size_t i = 0; i < std::min(kColumns, table["columnDefinitions"].size()); ++i)
    result["columns"].push_back(table["columnDefinitions"][i]["name"]);
  for (const auto& row : table["rows"]) {
    if (result["rows"].size() == kRows) break;
    json cells = json::array();
    for (std::size_t i = 0; i < std::min(kColumns, row["cells"].size()); ++i) cells.push_back(row["cells"][i]);
    result["rows"].push_back(cells);
  }
  return result;
}

/// Without what is made by others than the server, or by the clock.
void forget(json& answer) {
  if (answer.is_object() && answer.value("kind", "") == "Table") {
    for (std::size_t i = 0; i < answer["columns"].size(); ++i)
      if (answer["columns"][i] == "Age" || answer["columns"][i] == "Cluster-IP" || answer["columns"][i] == "Last Seen")
        for (auto& row : answer["rows"]) row[i] = "";
    return;
  }
  if (answer.is_object()) {
    answer.erase("managedFields");
    // Given to new nodes by an admission plugin, and taken away again by a controller.
    if (const auto taints = answer.find("taints"); taints != answer.end())
      if (taints->size() == 1 && taints->front()["key"] == "node.kubernetes.io/not-ready") answer.erase(taints);
    for (auto& [key, value] : answer.items()) forget(value);
  }
  if (answer.is_array())
    for (auto& value : answer) forget(value);
}

class ApiServerRecorded : public ApiTest {};

TEST_F(ApiServerRecorded, IsAnsweredAsByTheRealServer) {
  serve();
  std::ifstream file(KNETSIM_RECORDED "/kubectl.json");
  const auto commands = json::parse(file);
  ASSERT_GT(commands.size(), 100U);
  Translation translation;
  std::size_t compared = 0;
  for (const auto& command : commands) {
    const auto name = command["name"].get<std::string>();
    std::vector<std::string> differences;
    if (name == "apply-ssa-svc")  // somebody had given it a label, with a command that wasn't recorded
      client().merge("/api/v1/namespaces/shop/services/web?fieldManager=kubectl-label",
                     {{"metadata", {{"labels", {{"tier", "back"}}}}}});
    for (const auto& request : command["requests"]) {
      auto target = translation.apply(request["target"].get<std::string>());
      Headers headers{{"Accept", request.contains("table") ? kTable : "application/json"}};
      if (request.contains("type")) headers.emplace_back("Content-Type", request["type"]);
      std::string body;
      if (request.contains("body"))
        body = request["body"].is_string() ? request["body"].get<std::string>()
                                           : translation.apply(request["body"]).dump();
      const auto answer = client().send(request["method"], target, body, headers);
      ++compared;
      const auto what = request["method"].get<std::string>() + " " + target;
      if (answer.status != request["status"]) {
        differences.push_back(what + ": " + std::to_string(answer.status) + " for " + request["status"].dump() + ": " +
                              answer.body);
        continue;
      }
      if (!request.contains("answer")) continue;
      auto expected = request["answer"];
      auto ours = answer.json();
      if (expected["kind"] == "Table") ours = condensed(ours);
      if (expected.size() == 1) {  // only its kind was recorded
        if (ours["kind"] != expected["kind"]) differences.push_back(what + ": " + ours["kind"].dump());
        continue;
      }
      if (ours.contains("items") && expected["items"].size() == kItems)
        while (ours["items"].size() > kItems) ours["items"].erase(kItems);
      forget(ours);
      forget(expected);
      translation.learn(expected, ours);
      if (ours != expected) differences.push_back(what + ": " + json::diff(expected, ours).dump());
    }
    std::string text;
    for (const auto& difference : differences) text += difference + "\n";
    EXPECT_EQ(text, "") << name << ": " << command["command"];
  }
  EXPECT_GT(compared, 250U);
}

}  // namespace
}  // namespace knetsim::apiserver::test
