// Refusals to the letter.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "knetsim/kube/access.h"
#include "knetsim/kube/allocate.h"
#include "knetsim/kube/patch.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"
#include "recordings.h"

namespace knetsim::kube {
namespace {

using boost::asio::ip::make_address;
using nlohmann::json;
using recordings::recording;

const Kind& config_maps() { return must_be("configmaps"); }
const Kind& services() { return must_be("services"); }

const json& recorded(std::string_view name) { return recording("errors").at(name); }

/// What is refused is refused with the recorded Status.
template <typename Function>
void expect_refused(std::string_view name, Function&& function) {
  SCOPED_TRACE(name);
  const auto& body = recorded(name)["body"];
  try {
    std::forward<Function>(function)();
    ADD_FAILURE() << "not refused";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status(), body);
    EXPECT_EQ(error.code(), number_at(recorded(name), "status"));
  }
}

Birth birth_in(const std::string& ns) { return {.ns = ns, .name = {}, .uid = "7d2e", .suffix = "lrwp2", .now = {}}; }

Taken taken_by_others() {
  return {.address = [](const auto& each) { return each == make_address("10.96.38.17"); },
          .node_port = [](auto port, const auto&) { return port == 30080; }};
}

json create(const Kind& kind, const json& body, FieldValidation validation = FieldValidation::warn) {
  const auto text = body.is_string() ? text_in(body) : body.dump();
  auto object = prepare_create(kind, read_object(kind, std::string_view(text), validation).object, birth_in("shop"));
  if (kind.kind == "Service") allocate(object, nullptr, {}, taken_by_others(), [] { return std::uint64_t{0}; });
  return object;
}

TEST(RecordedErrors, OfBodies) {
  for (const auto* const name :
       {"post no name", "post wrong kind", "post garbage", "post ns mismatch", "post with resourceVersion"})
    expect_refused(name, [&] { create(config_maps(), recorded(name)["request"]["body"]); });
  for (const auto* const name : {"service: clusterIP taken", "service: clusterIP outside range",
                                 "service: nodePort taken", "service: nodePort outside range",
                                 "service: no ports, bad name, two causes", "service: two ports without names"})
    expect_refused(name, [&] { create(services(), recorded(name)["request"]["body"]); });
  expect_refused("service: fieldValidation Strict unknown field", [&] {
    create(services(), recorded("service: fieldValidation Strict unknown field")["request"]["body"],
           FieldValidation::strict);
  });
  expect_refused("endpointslice: bad addressType", [&] {
    create(must_be("endpointslices", "discovery.k8s.io"),
           recorded("endpointslice: bad addressType")["request"]["body"]);
  });
  expect_refused("networkpolicy: bad cidr", [&] {
    create(must_be("networkpolicies", "networking.k8s.io"), recorded("networkpolicy: bad cidr")["request"]["body"]);
  });
}

TEST(RecordedErrors, OfUpdates) {
  const json before{{"apiVersion", "v1"},
                    {"kind", "ConfigMap"},
                    {"metadata",
                     {{"name", "cfg"},
                      {"namespace", "shop"},
                      {"resourceVersion", "156"},
                      {"uid", "1043d948-8bf9-4d87-b97e-ebf7a323133e"}}}};
  for (const auto* const name : {"put name mismatch", "put conflict", "put uid mismatch"})
    expect_refused(name, [&] {
      prepare_update(config_maps(), before,
                     read_object(config_maps(), recorded(name)["request"]["body"], FieldValidation::warn).object);
    });
  auto web =
      create(services(), {{"metadata", {{"name", "web"}}}, {"spec", {{"ports", json::array({{{"port", 80}}})}}}});
  expect_refused("service: clusterIP immutable", [&] {
    const auto after =
        patched(services(), PatchType::merge, web, recorded("service: clusterIP immutable")["request"]["body"]);
    prepare_update(services(), web, read_object(services(), after, FieldValidation::warn).object);
  });
}

TEST(RecordedErrors, OfRequests) {
  const std::vector<std::string> media{"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"};
  const std::vector<std::pair<std::string_view, ApiError>> table{
      {"get missing", not_found(services(), "nope")},
      {"unknown resource", resource_not_found()},
      {"method not allowed", method_not_allowed()},
      {"patch with json type", unsupported_patch_type()},
      {"post exists", already_exists(config_maps(), "cfg")},
      {"post text", unsupported_body(media)},
      {"post ns missing", not_found(must_be("namespaces"), "nowhere")},
      {"put creates? (configmap)", not_found(config_maps(), "newput")},
      {"delete precondition uid",
       uid_precondition(config_maps(), "cfg", "abc", "1043d948-8bf9-4d87-b97e-ebf7a323133e")},
      {"unauthorized", unauthorized()}};
  for (const auto& row : table) expect_refused(row.first, [&] { throw row.second; });
}

TEST(RecordedErrors, WhatIsTakenIsTakenAsTheRealServerTakesIt) {
  EXPECT_EQ(name_of(create(config_maps(), recorded("post generateName")["request"]["body"])), "g-lrwp2");
  const auto unknown =
      read_object(services(), recorded("service: fieldValidation Warn")["request"]["body"], FieldValidation::warn);
  ASSERT_EQ(unknown.warnings.size(), 1U);
  EXPECT_EQ(warning_header(unknown.warnings[0]), recorded("service: fieldValidation Warn")["headers"]["Warning"]);
  const auto uid = create(config_maps(), recorded("post with uid")["request"]["body"]);
  EXPECT_EQ(text_at(uid, "metadata", "uid"), "7d2e");
  const auto policy =
      create(must_be("networkpolicies", "networking.k8s.io"), recorded("networkpolicy: defaults")["request"]["body"]);
  EXPECT_EQ(policy["spec"], recorded("networkpolicy: defaults")["body"]["spec"]);
}

}  // namespace
}  // namespace knetsim::kube
