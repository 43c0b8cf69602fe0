// Every write that kubectl was seen to make gets the answer that a real API server gave.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "knetsim/kube/access.h"
#include "knetsim/kube/allocate.h"
#include "knetsim/kube/patch.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"
#include "recordings.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;
using recordings::recording;

/// What a path of the API names.
struct Target {
  const Kind* kind = nullptr;
  std::string ns;
  std::string name;
  std::string subresource;
};

Target target_of(std::string path) {
  std::vector<std::string> steps;
  for (std::size_t at = 1; at != 0;) {
    const auto end = path.find('/', at);
    steps.push_back(path.substr(at, end - at));
    at = end == std::string::npos ? 0 : end + 1;
  }
  Target target;
  std::size_t next = steps[0] == "api" ? 2 : 3;
  const auto group = steps[0] == "api" ? std::string() : steps[1];
  const auto version = steps[next - 1];
  if (steps[next] == "namespaces" && steps.size() > next + 2) {
    target.ns = steps[next + 1];
    next += 2;
  }
  target.kind = kube::find(group, version, steps[next]);
  if (steps.size() > next + 1) target.name = steps[next + 1];
  if (steps.size() > next + 2) target.subresource = steps[next + 2];
  return target;
}

/// The address and the ports that a server happened to choose are as good as any others.
json without_luck(json object) {
  object["metadata"].erase("resourceVersion");
  if (text_at(object, "kind") != "Service") return object;
  auto& spec = object["spec"];
  if (text_at(spec, "clusterIP").starts_with("10.96.")) {
    EXPECT_EQ(spec["clusterIPs"], json::array({spec["clusterIP"]}));
    spec["clusterIP"] = "chosen";
    spec["clusterIPs"] = json::array({"chosen"});
  }
  if (spec.contains("ports"))
    for (auto& port : spec["ports"])
      if (number_at(port, "nodePort") >= 30000) port["nodePort"] = 30000;
  if (spec.contains("healthCheckNodePort")) spec["healthCheckNodePort"] = 30000;
  return object;
}

Taken nothing_taken() {
  return {.address = [](const auto&) { return false; }, .node_port = [](auto, const auto&) { return false; }};
}

FieldValidation validation_of(const std::string& query) {
  if (query.find("fieldValidation=Strict") != std::string::npos) return FieldValidation::strict;
  return query.find("fieldValidation=Ignore") != std::string::npos ? FieldValidation::ignore : FieldValidation::warn;
}

/// Addresses and ports for a Service.
void give(json& object, const json* old) {
  if (text_at(object, "kind") == "Service") allocate(object, old, {}, nothing_taken(), [] { return std::uint64_t{7}; });
}

json created(const Target& target, const json& write) {
  const auto& answer = write["answer"];
  const Birth birth{.ns = target.ns,
                    .name = {},
                    .uid = text_at(answer, "metadata", "uid"),
                    .suffix = "abcde",
                    .now = parse_timestamp(text_at(answer, "metadata", "creationTimestamp")).value_or(Time{})};
  const auto body = write["body"].dump();
  auto sent = read_object(*target.kind, std::string_view(body), validation_of(text_at(write, "query"))).object;
  return prepare_create(*target.kind, std::move(sent), birth, [](json& object) { give(object, nullptr); });
}

json changed(const Target& target, const json& write) {
  const auto& kind = *target.kind;
  const auto& before = write["before"];
  const auto& type = text_at(write, "type");
  if (write["method"] == "PUT") {
    return prepare_update(kind, before, read_object(kind, write["body"], FieldValidation::strict).object);
  }
  const auto how = type == "application/json-patch+json"    ? PatchType::json
                   : type == "application/merge-patch+json" ? PatchType::merge
                                                            : PatchType::strategic;
  if (target.subresource == "scale") {
    auto scale = scale_of(kind, before);
    scale.merge_patch(write["body"]);
    return scale_of(kind, with_scale(kind, before, scale));
  }
  auto after = read_object(kind, patched(kind, how, before, write["body"]), FieldValidation::strict).object;
  if (target.subresource == "status") return prepare_status_update(kind, before, std::move(after));
  after = prepare_update(kind, before, std::move(after));
  give(after, &before);
  return after;
}

json deleted(const Target& target, const json& write) {
  const auto& before = write["before"];
  DeleteOptions options{.grace_seconds = {}, .propagation = text_at(write, "body", "propagationPolicy")};
  const auto now = parse_timestamp(text_at(write, "answer", "metadata", "deletionTimestamp")).value_or(Time{});
  const auto deletion = prepare_delete(*target.kind, before, options, now);
  return deletion.now ? answer_to_deletion(*target.kind, deletion.object) : deletion.object;
}

json answer_to(const json& write) {
  const auto target = target_of(write["path"]);
  if (target.kind == nullptr) return fmt::format("no kind at {}", text_at(write, "path"));
  try {
    if (write["method"] == "POST") return created(target, write);
    return write["method"] == "DELETE" ? deleted(target, write) : changed(target, write);
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), number_at(write, "status"));
    return error.status();
  }
}

/// What others than these rules answer for: names that exist already, or not any more.
bool is_about_storage(const json& write) {
  const auto& reason = text_at(write, "answer", "reason");
  return reason == "AlreadyExists" || reason == "NotFound";
}

/// The real server's admission taints new nodes until a controller finds them ready: here the kubelet's part says so.
json without_admission(const json& write) {
  auto answer = write["answer"];
  if (write["method"] == "POST" && text_at(answer, "kind") == "Node") answer["spec"].erase("taints");
  return answer;
}

TEST(RecordedWrites, AreAnsweredAsTheRealServerDid) {
  std::size_t compared = 0;
  std::set<std::string> kinds_seen;
  for (const auto& write : recording("writes")) {
    if (is_about_storage(write)) continue;
    SCOPED_TRACE(fmt::format("{}: {} {}", text_at(write, "command"), text_at(write, "method"), text_at(write, "path")));
    const auto answer = without_luck(answer_to(write));
    const auto wanted = without_luck(without_admission(write));
    EXPECT_EQ(answer, wanted) << json::diff(wanted, answer).dump(1);
    kinds_seen.insert(text_at(write, "answer", "kind"));
    ++compared;
  }
  EXPECT_GT(compared, 45U);
  EXPECT_GT(kinds_seen.size(), 10U);
}

}  // namespace
}  // namespace knetsim::kube
