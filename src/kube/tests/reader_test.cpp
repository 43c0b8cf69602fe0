#include "knetsim/kube/reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/kube/quantity.h"
#include "knetsim/kube/time.h"
#include "knetsim/sys/base64.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const Kind& service_kind() { return must_be("services"); }
const Kind& pod_kind() { return must_be("pods"); }

std::string refusal(const Kind& kind, const std::string& body, FieldValidation validation = FieldValidation::strict,
                    const ReadLimits& limits = {}) {
  try {
    read_object(kind, std::string_view(body), validation, limits);
    return "";
  } catch (const ApiError& error) {
    return fmt::format("{} {}", error.code(), error.what());
  }
}

TEST(Reader, NamesUnknownFieldsByTheirPath) {
  const std::string body =
      R"({"metadata":{"name":"a","nope":1},"spec":{"ports":[{"port":1},{"port":2,"prot":"TCP"}],"x":null}})";
  EXPECT_THAT(read_object(service_kind(), std::string_view(body), FieldValidation::warn).warnings,
              ElementsAre("unknown field \"metadata.nope\"", "unknown field \"spec.ports[1].prot\"",
                          "unknown field \"spec.x\""));
  EXPECT_THAT(read_object(service_kind(), std::string_view(body), FieldValidation::ignore).warnings, IsEmpty());
  EXPECT_EQ(refusal(service_kind(), body),
            "400 Service in version \"v1\" cannot be handled as a Service: strict decoding error: unknown field "
            "\"metadata.nope\", unknown field \"spec.ports[1].prot\", unknown field \"spec.x\"");
  EXPECT_FALSE(read_object(service_kind(), std::string_view(body), FieldValidation::ignore)
                   .object["spec"]["ports"][1]
                   .contains("prot"));
}

TEST(Reader, NamesDoubledFields) {
  const std::string body = R"({"spec":{"ports":[{"port":1,"port":2}]}})";
  EXPECT_THAT(refusal(service_kind(), body),
              HasSubstr("strict decoding error: duplicate field \"spec.ports[0].port\""));
  const auto read = read_object(service_kind(), std::string_view(body), FieldValidation::warn);
  EXPECT_THAT(read.warnings, ElementsAre("duplicate field \"spec.ports[0].port\""));
  EXPECT_EQ(read.object["spec"]["ports"][0]["port"], 2) << "the last counts";
}

TEST(Reader, RefusesValuesOfTheWrongTypeInGoSWords) {
  const std::vector<std::pair<std::string, std::string>> table{
      {R"({"spec":{"ports":[{"port":"80"}]}})",
       "json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32"},
      {R"({"spec":{"ports":[{"port":4294967296}]}})",
       "json: cannot unmarshal number 4294967296 into Go struct field ServicePort.spec.ports.port of type int32"},
      {R"({"spec":{"ports":{}}})",
       "json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort"},
      {R"({"spec":{"selector":{"a":1}}})",
       "json: cannot unmarshal number into Go struct field ServiceSpec.spec.selector.a of type string"},
      {R"({"spec":[]})", "json: cannot unmarshal array into Go struct field Service.spec of type v1.ServiceSpec"},
      {R"([])", "json: cannot unmarshal array into Go value of type v1.Service"}};
  for (const auto& [body, problem] : table) {
    EXPECT_EQ(refusal(service_kind(), body),
              "400 Service in version \"v1\" cannot be handled as a Service: " + problem);
  }
  EXPECT_THAT(refusal(must_be("secrets"), R"({"data":{"a":"%"}})"), HasSubstr("illegal base64 data at input byte 0"));
  EXPECT_THAT(refusal(pod_kind(), R"({"spec":{"containers":[{"resources":{"limits":{"cpu":"much"}}}]}})"),
              HasSubstr("quantities must match"));
}

TEST(Reader, IsBounded) {
  const ReadLimits small{.size = 1000, .depth = 10};
  EXPECT_THAT(refusal(service_kind(), "{\"a\":\"" + std::string(2000, 'x') + "\"}", FieldValidation::warn, small),
              StartsWith("413 "));
  EXPECT_THAT(refusal(service_kind(), std::string(50, '['), FieldValidation::warn, small), StartsWith("400 "));
  EXPECT_THAT(refusal(service_kind(), "{\"a\":" + std::string(50, '[') + std::string(50, ']') + "}",
                      FieldValidation::strict, small),
              HasSubstr("nested deeper than 10 levels"));
  std::string many = "{";
  for (int i = 0; i < 5000; ++i) many += fmt::format("\"k{}\":1,", i);
  many += "\"z\":1}";
  const auto warnings = read_object(service_kind(), std::string_view(many), FieldValidation::warn).warnings;
  EXPECT_LE(warnings.size(), 100U);
}

TEST(Reader, SaysWhereATextIsNoJson) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"", "unexpected end of JSON input ()"},
      {"{", "unexpected end of JSON input ({)"},
      {"{\"a\" 1}", "invalid character '1' after object key ({\"a\" 1})"},
      {"{\"a\":1 2}", "invalid character '2' after object key:value pair ({\"a\":1 2})"},
      {"[1 2]", "invalid character '2' after array element ([1 2])"},
      {"{\"a\":tru}", "invalid character '}' in literal true (expecting 'e') ({\"a\":tru})"},
      {"{} x", "invalid character 'x' after top-level value ({} x)"},
      {"kind: Pod", "invalid character 'k' looking for beginning of value (kind: Pod)"}};
  for (const auto& [body, problem] : table) {
    EXPECT_EQ(refusal(service_kind(), body),
              "400 the object provided is unrecognized (must be of type Service): couldn't get version/kind; json "
              "parse error: " +
                  problem);
  }
}

TEST(Reader, LeavesOutWhatGoLeavesOut) {
  constexpr std::string_view body =
      R"({"metadata":{"name":"a","labels":{},"creationTimestamp":null},"spec":{"replicas":0,"paused":false,
                                    "template":{"spec":{"containers":[{"name":"a"}],"nodeSelector":{}}}}})";
  const auto read = read_object(must_be("deployments", "apps"), body, FieldValidation::strict).object;
  EXPECT_EQ(read["spec"]["replicas"], 0) << "none are wanted: that isn't the same as saying nothing";
  EXPECT_FALSE(read["spec"].contains("paused"));
  EXPECT_FALSE(read["metadata"].contains("labels"));
  EXPECT_EQ(read["spec"]["template"]["metadata"], json({{"creationTimestamp", nullptr}}));
  EXPECT_EQ(read["spec"]["template"]["spec"]["containers"][0]["resources"], json::object());
  EXPECT_FALSE(read["spec"]["template"]["spec"].contains("nodeSelector"));
  EXPECT_EQ(read["apiVersion"], "apps/v1");
}

TEST(Quantities, AreCanonical) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"1", "1"},           {"0.5", "500m"},
      {"1000m", "1"},       {"1500m", "1500m"},
      {"1024Mi", "1Gi"},    {"0.5Gi", "512Mi"},
      {"110", "110"},       {"2000", "2k"},
      {"0", "0"},           {"0Gi", "0"},
      {"1e3", "1e3"},       {"-1.5", "-1500m"},
      {"1000Mi", "1000Mi"}, {"99999999999999999999999", "99999999999999999999999"}};
  for (const auto& [text, wanted] : table) EXPECT_EQ(canonical_quantity(text), wanted) << text;
  for (const auto* const bad : {"", "x", "1x", "Mi", "1.2.3", "--1", "1e", "1 Gi"})
    EXPECT_FALSE(canonical_quantity(bad)) << bad;
}

TEST(Base64, IsBrokenWhereGoWouldSaySo) {
  const std::vector<std::string> all{"", "a", "ab", "abc", "abcd", std::string("\0\xff\n", 3)};
  for (const auto& bytes : all) EXPECT_FALSE(base64_error(base64_encode(bytes)));
  for (const auto* const bad : {"a", "ab=", "a===", "ab=c", "%abc", "abc=="}) EXPECT_TRUE(base64_error(bad)) << bad;
}

TEST(Times, AreReadAndWrittenInWholeSecondsOfUtc) {
  const std::vector<std::pair<std::string, std::string>> table{{"2026-11-28T14:11:58Z", "2026-11-28T14:11:58Z"},
                                                               {"2026-11-28T14:11:58.999Z", "2026-11-28T14:11:58Z"},
                                                               {"2026-11-28T16:11:58+02:00", "2026-11-28T14:11:58Z"},
                                                               {"2024-02-29T00:00:00-00:30", "2024-02-29T00:30:00Z"}};
  for (const auto& [text, wanted] : table) {
    const auto time = parse_timestamp(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(timestamp(*time), wanted);
  }
  for (const auto* const bad : {"", "2026-11-28", "2026-02-29T00:00:00Z", "2026-11-28T24:00:00Z", "2026-11-28T14:11:58",
                                "2026-11-28T14:11:58.Z", "2026-11-28T14:11:58ZZ"})
    EXPECT_FALSE(parse_timestamp(bad)) << bad;
}

TEST(Times, AreShownAsKubectlShowsAges) {
  using std::chrono::seconds;
  const std::vector<std::pair<std::int64_t, std::string>> table{
      {-5, "<invalid>"}, {0, "0s"},          {119, "119s"},    {120, "2m"},         {200, "3m20s"},    {600, "10m"},
      {10799, "179m"},   {10800, "3h"},      {18600, "5h10m"}, {28800, "8h"},       {172799, "47h"},   {183600, "2d3h"},
      {691200, "8d"},    {34560000, "400d"}, {63072000, "2y"}, {66096000, "2y35d"}, {315360000, "10y"}};
  for (const auto& [age_seconds, wanted] : table)
    EXPECT_EQ(human_duration(seconds(age_seconds)), wanted) << age_seconds;
  EXPECT_EQ(age("", Time{}), "<unknown>");
}

}  // namespace
}  // namespace knetsim::kube
