// What kubectl 1.32 or 1.33 sent in protobuf, each beside what `--dry-run=client -o json` of the same
// command printed.
#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "../protobuf_numbers.h"
#include "knetsim/kube/reader.h"
#include "knetsim/kube/schema.h"
#include "knetsim/kube/status.h"
#include "knetsim/sys/base64.h"
#include "recordings.h"

namespace knetsim::kube {
namespace {

using testing::HasSubstr;

std::string body_of(const nlohmann::json& recorded) { return *base64_decode(recorded.at("body").get<std::string>()); }

std::string refusal_of(std::string_view body) {
  try {
    read_protobuf_body(body);
  } catch (const ApiError& error) {
    return error.what();
  }
  return "none";
}

/// In the envelope of such an object.
std::string enveloped(std::string_view kind, std::string_view raw, std::string_view api_version = "v1") {
  const auto field = [](char number, std::string_view text) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(text.size())} + std::string(text);
  };
  return std::string("k8s\0", 4) + field(1, field(1, api_version) + field(2, kind)) + field(2, raw);
}

TEST(ProtobufBodies, AreTheObjectsThatKubectlMeans) {
  for (const auto& recorded : recordings::recording("protobuf-bodies")) {
    const auto& meant = recorded.at("object");
    const auto* const kind = kind_of(meant.at("apiVersion").get<std::string>(), meant.at("kind").get<std::string>());
    ASSERT_NE(kind, nullptr);
    const auto read = read_object(*kind, read_protobuf_body(body_of(recorded)), FieldValidation::strict).object;
    EXPECT_EQ(read, read_object(*kind, meant, FieldValidation::strict).object) << recorded.at("what");
  }
}

TEST(ProtobufBodies, ThatAreCutOrChangedAreRefusedOrRead) {
  for (const auto& recorded : recordings::recording("protobuf-bodies")) {
    const auto body = body_of(recorded);
    for (std::size_t i = 0; i < body.size(); ++i) {
      refusal_of(std::string_view(body).substr(0, i));
      for (const char other : {'\0', '\x7f', '\xff'}) {
        auto changed = body;
        changed[i] = other;
        refusal_of(changed);
      }
    }
  }
}

TEST(ProtobufBodies, AreRefusedWhereSomethingWouldBeLost) {
  EXPECT_THAT(refusal_of("{}"), HasSubstr("doesn't begin with k8s"));
  EXPECT_THAT(refusal_of(enveloped("Nothing", "")), HasSubstr("no kind \"Nothing\""));
  EXPECT_THAT(refusal_of(enveloped("Node", "")), HasSubstr("Node can't be read here; send JSON"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", "\x2a\x01x")), HasSubstr("field 5 of ConfigMap"));
  EXPECT_THAT(refusal_of(enveloped("Ingress", "\x12\x06\x1a\x04\x12\x02\x10\x01", "networking.k8s.io/v1")),
              HasSubstr("field 2.2 of IngressRule"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", std::string("\x20\x01\x20\x00", 4))),
              HasSubstr("immutable stands twice"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", "\x0a\x03\x0a\x01\xff")), HasSubstr("isn't UTF-8"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", "\x0d")), HasSubstr("of a form that isn't used"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", "\x0a\x7f")), HasSubstr("unexpected end"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", std::string(11, '\xff'))), HasSubstr("too long"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", "\x22\x01x")), HasSubstr("field 4 holds no number"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", "\x08\x01")), HasSubstr("field 1 holds a number"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", std::string("\x00\x01", 2))), HasSubstr("a field has no number"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", "") + "\x1a\x01g"), HasSubstr("its content is encoded"));
  EXPECT_THAT(refusal_of(enveloped("ConfigMap", "\x0a\x0c\x42\x0a\x08" + std::string(8, '\xff') + "\x7f")),
              HasSubstr("a time is before 1970 or after 9999"));
  EXPECT_THAT(refusal_of(enveloped("Service", "\x12\x08\x0a\x06\x18\xff\xff\xff\xff\x7f")),
              HasSubstr("is no number of 32 bits"));
  EXPECT_THAT(refusal_of(enveloped("Service", "\x12\x06\x0a\x04\x22\x02\x08\x02")),
              HasSubstr("a number or text is neither"));
  EXPECT_THAT(refusal_of(std::string(ReadLimits{}.size + 1, 'x')), HasSubstr("too large"));
}

TEST(ProtobufNumbers, NameFieldsThatThereAre) {
  std::istringstream lines{std::string(kWireFields)};
  std::size_t types = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    std::istringstream words(line);
    std::string type;
    words >> type;
    const auto* const schema = find_schema(type);
    ASSERT_NE(schema, nullptr) << type;
    ++types;
    std::set<std::string> numbers;
    for (std::string word; words >> word;) {
      EXPECT_NE(schema->field(word.substr(0, word.find('='))), nullptr) << type << " " << word;
      EXPECT_TRUE(numbers.insert(word.substr(word.find('='))).second) << type << " " << word;
    }
  }
  EXPECT_GT(types, 30U);
}

}  // namespace
}  // namespace knetsim::kube
