// Endpoints and the JSON forms, without a server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "../connection.h"
#include "../member_probe.h"
#include "../wire.h"
#include "knetsim/etcd/client.h"
#include "knetsim/sys/error.h"

namespace knetsim::etcd {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Endpoints, AreUrlsWithAnOptionalPort) {
  EXPECT_EQ(parse_endpoint("http://10.0.0.1:2379").url(), "http://10.0.0.1:2379");
  EXPECT_EQ(parse_endpoint("http://10.0.0.1:4001/").url(), "http://10.0.0.1:4001");
  EXPECT_EQ(parse_endpoint("http://etcd.example").url(), "http://etcd.example:2379");
  EXPECT_EQ(parse_endpoint("https://etcd.example").url(), "https://etcd.example:2379");
  EXPECT_EQ(parse_endpoint("127.0.0.1:2379").url(), "http://127.0.0.1:2379");
  EXPECT_EQ(parse_endpoint("http://[fd00::1]:2379").host, "fd00::1");
  EXPECT_EQ(parse_endpoint("http://[fd00::1]").url(), "http://[fd00::1]:2379");
}

TEST(Endpoints, ThatCantBeUsedAreNamedWithTheReason) {
  for (const char* text :
       {"", "http://", "http://:2379", "https://", "ftp://10.0.0.1", "http://a:0", "http://a:65536", "http://a:b",
        "http://a:", "http://[fd00::1", "http://[::1]x", "http://a/path", "http://a b"}) {
    EXPECT_THAT([text] { parse_endpoint(text); },
                ThrowsMessage<InputError>(HasSubstr("etcd endpoint \"" + std::string(text) + "\": ")))
        << text;
  }
}

TEST(Endpoints, ComeAsAListSeparatedByCommas) {
  EXPECT_THAT(parse_endpoints("http://10.0.0.1:2379,http://10.0.0.2"),
              ElementsAre("http://10.0.0.1:2379", "http://10.0.0.2:2379"));
  EXPECT_THROW(parse_endpoints("http://10.0.0.1,"), InputError);
  EXPECT_THROW(parse_endpoints(""), InputError);
}

TEST(Wire, ReadsIntegersAsStringsAndAsNumbersAndAbsentAsZero) {
  const JsonDocument document{
      .value = {{"text", "9223372036854775807"}, {"number", 5}, {"negative", "-1"}, {"id", "18446744073709551615"}}};
  const JsonPlace object(document);
  EXPECT_EQ(wire::int64_at(object, "text"), INT64_MAX);
  EXPECT_EQ(wire::int64_at(object, "number"), 5);
  EXPECT_EQ(wire::int64_at(object, "negative"), -1);
  EXPECT_EQ(wire::int64_at(object, "absent"), 0);
  EXPECT_EQ(wire::uint64_at(object, "id"), UINT64_MAX);
}

TEST(Wire, RefusesValuesOfAnotherForm) {
  const JsonDocument document{
      .value = {{"a", "12x"}, {"b", true}, {"c", "9223372036854775808"}, {"d", "!"}, {"e", 1.5}, {"f", ""}}};
  const JsonPlace object(document);
  for (const char* field : {"a", "b", "c", "d", "e", "f"}) {
    EXPECT_THROW(wire::int64_at(object, field), InputError) << field;
  }
  EXPECT_THROW(wire::bytes_at(object, "d"), InputError);
  EXPECT_THROW(wire::string_at(object, "b"), InputError);
  EXPECT_THROW(wire::bool_at(object, "a"), InputError);
  EXPECT_THROW(wire::parse("[1]"), InputError);
  EXPECT_THROW(wire::parse("{"), InputError);
}

TEST(Wire, APrefixIsTheRangeUpToTheNextKeyThatLacksIt) {
  const auto bytes_of = [](const std::string& prefix, const char* field) {
    const JsonDocument range{.value = wire::prefix_range(prefix)};
    return wire::bytes_at(JsonPlace(range), field);
  };
  const auto end_of = [&](const std::string& prefix) { return bytes_of(prefix, "range_end"); };
  EXPECT_EQ(end_of("/a/"), "/a0");
  EXPECT_EQ(end_of("a\xff"), "b");
  EXPECT_EQ(end_of("\xff\xff"), std::string(1, '\0'));
  EXPECT_EQ(end_of(""), std::string(1, '\0'));
  EXPECT_EQ(bytes_of("", "key"), std::string(1, '\0'));
}

TEST(Wire, ReadsBothFormsOfARefusal) {
  const auto refusal_in = [](const json& answer) {
    const JsonDocument document{.value = answer};
    return wire::refusal(JsonPlace(document));
  };
  const auto unary = refusal_in({{"error", "etcdserver: no leader"}, {"code", 14}});
  ASSERT_TRUE(unary);
  EXPECT_EQ(unary->code, 14);
  EXPECT_EQ(unary->message, "etcdserver: no leader");
  const auto streamed = refusal_in({{"error", {{"grpc_code", 5}, {"message", "gone"}}}});
  ASSERT_TRUE(streamed);
  EXPECT_EQ(streamed->code, 5);
  EXPECT_EQ(streamed->message, "gone");
  EXPECT_FALSE(refusal_in(json::object()));
}

TEST(Wire, ComparesAreRefusedWhenTheOperandHasTheWrongType) {
  Txn txn;
  txn.compares.push_back({"k", Compare::Target::version, Compare::Relation::equal, std::string("1")});
  EXPECT_THROW(wire::txn_request(txn), InputError);
  txn.compares = {{"k", Compare::Target::value, Compare::Relation::equal, std::int64_t{1}}};
  EXPECT_THROW(wire::txn_request(txn), InputError);
}

TEST(Election, IsPromptedOfReleasesOfWhichItIsKnownAlone) {
  for (const char* known : {"3.4.0", "3.4.23", "3.5.16"}) EXPECT_TRUE(takes_timeout_now(known)) << known;
  for (const char* other : {"", "3.3.25", "3.40.1", "3.6.0", "4.4.0", "not built"})
    EXPECT_FALSE(takes_timeout_now(other)) << other;
}

}  // namespace
}  // namespace knetsim::etcd
