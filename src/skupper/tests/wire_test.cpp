// The codec: every type, the exact bytes, and whatever else a peer may send.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "capture.h"
#include "wire/address.h"
#include "wire/control.h"
#include "wire/message.h"

namespace knetsim::skupper::wire {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

template <typename Function>
std::string error_of(Function function) {
  try {
    function();
  } catch (const ProtocolError& error) {
    return error.what();
  }
  return "no error";
}

std::string decode_error(std::string_view bytes) {
  return error_of([&] { decode(bytes); });
}

TEST(Codec, WritesTheShortestEncoding) {
  const std::vector<std::pair<Value, std::string>> cases{
      {Value(), "\x40"s},
      {true, "\x41"s},
      {false, "\x42"s},
      {std::uint32_t{0}, "\x43"s},
      {std::uint32_t{255}, "\x52\xff"s},
      {std::uint32_t{256}, "\x70\x00\x00\x01\x00"s},
      {std::uint64_t{0}, "\x44"s},
      {std::uint64_t{7}, "\x53\x07"s},
      {std::int32_t{-128}, "\x54\x80"s},
      {std::int32_t{128}, "\x71\x00\x00\x00\x80"s},
      {std::int64_t{-1}, "\x55\xff"s},
      {std::int64_t{1} << 40, "\x81\x00\x00\x01\x00\x00\x00\x00\x00"s},
      {"c0", "\xa1\x02\x63\x30"s},
      {Symbol{"pv"}, "\xa3\x02pv"s},
      {List{}, "\x45"s},
      {List{"a"}, "\xd0\x00\x00\x00\x07\x00\x00\x00\x01\xa1\x01\x61"s},
      {Map{}, "\xd1\x00\x00\x00\x04\x00\x00\x00\x00"s},
      {std::string(256, 'x'), "\xb1\x00\x00\x01\x00"s + std::string(256, 'x')},
      {described(0x77, Value()), "\x00\x53\x77\x40"s},
  };
  for (const auto& [value, bytes] : cases) EXPECT_EQ(encode(value), bytes) << to_string(value);
  EXPECT_EQ(encode(List{}, Encoder::EmptyList::list32), "\xd0\x00\x00\x00\x04\x00\x00\x00\x00"s);
}

TEST(Codec, ReadsBackEveryType) {
  const List values{Value(),
                    true,
                    std::uint8_t{200},
                    std::uint16_t{60'000},
                    std::uint32_t{4'000'000'000},
                    std::numeric_limits<std::uint64_t>::max(),
                    std::int8_t{-5},
                    std::int16_t{-500},
                    std::int32_t{-500'000},
                    std::numeric_limits<std::int64_t>::min(),
                    1.5F,
                    -2.25,
                    U'ß',
                    Decimal{"\1\2\3\4"},
                    Decimal{"\1\2\3\4\5\6\7\x08"},
                    Decimal{std::string(16, '\x09')},
                    Timestamp{1'795'385'884'000},
                    Uuid{{1, 2, 3}},
                    Binary{"\0\xff"s},
                    "text",
                    Symbol{"symbol"},
                    list_of(list_of(List{})),
                    Map{{"key", Map{{Symbol{"inner"}, std::int32_t{1}}}}},
                    Array{{Symbol{"a"}, Symbol{"b"}}},
                    Array{{described(0x10, std::int32_t{1}), described(0x10, std::int32_t{2})}},
                    Array{{List{"x"}, List{}}},
                    Array{{true, false}},
                    Array{},
                    described(0x77, List{})};
  for (const auto& value : values) EXPECT_EQ(decode(encode(value)), value) << to_string(value);
  EXPECT_EQ(decode(encode(values)), Value(values));
}

TEST(Codec, TellsWhatIsWrongAndWhere) {
  EXPECT_THAT(decode_error(""), HasSubstr("1 bytes expected at offset 0, but 0 are left"));
  EXPECT_THAT(decode_error("\xa1\x05hi"), HasSubstr("5 bytes expected at offset 2, but 2 are left"));
  EXPECT_THAT(decode_error("\x01"), HasSubstr("0x01 before offset 1 is no AMQP type"));
  EXPECT_THAT(decode_error("\x56\x02"), HasSubstr("a boolean is 2"));
  EXPECT_THAT(decode_error("\x40\x40"), HasSubstr("1 bytes follow the value at offset 1"));
  EXPECT_THAT(decode_error("\xc1\x02\x01\x40"s), HasSubstr("odd number of elements"));
  EXPECT_THAT(decode_error("\xc0\x03\x01\x40\x40"s), HasSubstr("the list has 1 bytes too many"));
  EXPECT_THAT(decode_error("\xc0\x02\x02\x40"s), HasSubstr("are left"));
  EXPECT_THAT(decode_error("\x00\x40\x00\x40"s), HasSubstr("a descriptor is described itself"));
}

TEST(Codec, IsNotDrivenIntoRecursion) {
  std::string nested = "\x40";
  for (int i = 0; i < 60; ++i) {
    std::string size{"\0\0\0\0", 4};
    size[3] = static_cast<char>(nested.size() + 4);
    size[2] = static_cast<char>((nested.size() + 4) >> 8U);
    nested = "\xd0" + size + "\0\0\0\1"s + nested;
  }
  EXPECT_THAT(decode_error(nested), HasSubstr("nest deeper than 32"));
  EXPECT_THAT(decode_error(std::string(100'000, '\0')), HasSubstr("nest deeper than 32"));
}

TEST(Codec, IsNotDrivenIntoAllocation) {
  // Sizes of 4 GB; a list and an array of nulls that claim as many elements.
  EXPECT_THAT(decode_error("\xb0\xff\xff\xff\xff"), HasSubstr("4294967295 bytes expected"));
  EXPECT_THAT(decode_error("\xd0\x00\x00\x00\x05\xff\xff\xff\xff\x40"s), HasSubstr("are left"));
  EXPECT_THAT(decode_error("\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40"s), HasSubstr("claims 4294967295 elements"));
}

TEST(Codec, KnowsBytesThatMoreWouldCompleteFromThoseThatNothingWould) {
  EXPECT_THROW(decode("\xd0\x00\x00"s), TruncatedError);
  try {
    decode("\xc0\x02\x01\xa1"s);
    ADD_FAILURE() << "accepted";
  } catch (const TruncatedError& error) {
    ADD_FAILURE() << "the list is complete, and its string can't be: " << error.what();
  } catch (const ProtocolError&) {
  }
}

TEST(Messages, AreCutAnywhereWithoutHarm) {
  for (const auto& delivery : read_capture().deliveries) {
    const auto whole = parse_message(delivery.bytes);
    for (std::size_t length = 0; length < whole.length; ++length)
      EXPECT_THROW(parse_message(std::string_view(delivery.bytes).substr(0, length)), TruncatedError)
          << "packet " << delivery.packet << " up to " << length;
  }
}

TEST(Messages, AreRefusedWithTheReason) {
  const auto annotations = encode(originate("c1"));
  const auto error = [&](const std::string& rest) { return error_of([&] { parse_message(annotations + rest); }); };
  EXPECT_THAT(error_of([] { parse_message("\x00\x53\x70\x45"s); }), HasSubstr("doesn't begin with router annotations"));
  EXPECT_THAT(error("\x40"), HasSubstr("has null where a section should be"));
  EXPECT_THAT(error("\x00\x53\x73\x45\x00\x53\x70\x45"s), HasSubstr("section 0x70 is out of order"));
  EXPECT_THAT(error("\x00\x53\x73\x40"s), HasSubstr("properties is null, not a list"));
  EXPECT_THAT(error("\x00\x53\x75\xa0\x00"s), HasSubstr("section 0x75 isn't one that routers use"));
  EXPECT_THAT(error("\x00\x53\x73\xc0\x05\x03\x40\x40\x54\x01"s), HasSubstr("to is int 1, not a string"));
}

TEST(RouterAnnotations, KeepTheTraceOfAMessage) {
  const auto annotations = forwarded(originate("a", 5), "b");
  EXPECT_EQ(split_annotations(encode(annotations)).annotations, annotations);
  EXPECT_TRUE(has_passed(annotations, "a"));
  EXPECT_TRUE(has_passed(annotations, "b"));
  EXPECT_FALSE(has_passed(annotations, "c"));
  EXPECT_EQ(annotations.ingress, "0/a");
}

TEST(RouterAnnotations, AreRefusedWithTheReason) {
  const auto error = [](const List& fields) {
    Encoder encoder;
    encoder.section(0x534B50522D2D5241, fields);
    return error_of([&] { split_annotations(encoder.bytes()); });
  };
  EXPECT_THAT(error({}), HasSubstr("have 0 fields, not 4"));
  EXPECT_THAT(error({"x", Value(), "0/a", List{}}), HasSubstr("flags are \"x\""));
  EXPECT_THAT(error({std::uint32_t{0}, Value(), std::int32_t{1}, List{}}), HasSubstr("ingress router is int 1"));
  EXPECT_THAT(error({std::uint32_t{0}, Value(), "0/a", "0/a"}), HasSubstr("trace is \"0/a\""));
}

TEST(ControlBodies, AreRefusedWithTheReason) {
  const auto error = [](std::string_view opcode, Value body) { return error_of([&] { parse_body(opcode, body); }); };
  const std::pair<Value, Value> id{"id", "c0"};
  EXPECT_THAT(error("HELO", Map{id}), HasSubstr("unknown opcode \"HELO\""));
  EXPECT_THAT(error("LSR", List{}), HasSubstr("malformed LSR: it is [], not a map"));
  EXPECT_THAT(error("LSR", Map{}), HasSubstr("malformed LSR: it has no id"));
  EXPECT_THAT(error("LSR", Map{{"id", ""}}), HasSubstr("not a router's id"));
  EXPECT_THAT(error("LSR", Map{{"id", "c0\n"}}), HasSubstr("id is \"c0\\x0a\", not a router's id"));
  EXPECT_THAT(error("HELLO", Map{id, {"seen", "c1"}}), HasSubstr("seen is \"c1\", not a list"));
  EXPECT_THAT(error("RA", Map{id, {"ls_seq", std::int32_t{-1}}}), HasSubstr("ls_seq is int -1"));
  EXPECT_THAT(error("RA", Map{id, {"ls_seq", std::int32_t{1}}}), HasSubstr("malformed RA: it has no mobile_seq"));
  const auto ls = [&](const char* owner, Value peers) {
    return Map{
        id, {"ls_seq", std::int32_t{1}}, {"ls", Map{{"id", owner}, {"ls_seq", std::int32_t{1}}, {"peers", peers}}}};
  };
  EXPECT_THAT(error("LSU", ls("c0", Map{{"c1", std::int32_t{0}}})), HasSubstr("peers is int 0, not a cost"));
  EXPECT_THAT(error("LSU", ls("c0", List{})), HasSubstr("malformed LSU's ls: its peers is [], not a map"));
  EXPECT_THAT(error("LSU", ls("c9", Map{})), HasSubstr("not the sender's own"));
  const std::pair<Value, Value> seq{"mobile_seq", std::int64_t{1}};
  EXPECT_THAT(error("MAU", Map{id, seq}), HasSubstr("either exist, or both add and del"));
  EXPECT_THAT(error("MAU", Map{id, seq, {"exist", List{}}, {"add", List{}}}), HasSubstr("either exist"));
  EXPECT_THAT(error("MAU", Map{id, seq, {"exist", list_of(List{})}}), HasSubstr("begins with an address"));
  EXPECT_THAT(error("MAU", Map{id, seq, {"exist", list_of(List{"Mx", "y"})}}), HasSubstr("treatment and links"));
}

TEST(ControlBodies, OfEarlierAndLaterVersionsAreRead) {
  const Map hello{{"id", "c0"}, {"seen", List{}}, {"colour", "green"}};
  EXPECT_EQ(std::get<Hello>(parse_body("HELLO", hello)), (Hello{"c0", 0, 0, {}}));
  const Map update{{Symbol{"id"}, "c0"},
                   {Symbol{"mobile_seq"}, std::uint64_t{4}},
                   {Symbol{"exist"}, List{List{"Ma"}, List{"Mb", std::int32_t{2}, std::int32_t{0}, "more"}}}};
  EXPECT_EQ(std::get<MobileAddressUpdate>(parse_body("MAU", update)),
            (MobileAddressUpdate{"c0", 0, 4, AbsoluteAddresses{{{"Ma", 3, 0}, {"Mb", 2, 0}}}}));
}

TEST(ControlBodies, ChangesOfAddressesHaveBothLists) {
  const ControlMessage message{originate("c0"), std::string(kAllMobile),
                               MobileAddressUpdate{"c0", 2, 5, AddressChanges{{{"Ma", 3, 0}}, {"Mb"}}}};
  EXPECT_EQ(parse_control(encode(message)), message);
  const ControlMessage only_gone{originate("c0"), std::string(kAllMobile),
                                 MobileAddressUpdate{"c0", 2, 6, AddressChanges{{}, {"Ma"}}}};
  // An empty list is a list32 here, as in the C part of skrouterd.
  EXPECT_THAT(encode(only_gone), HasSubstr("\xa3\x03\x61\x64\x64\xd0\x00\x00\x00\x04\x00\x00\x00\x00"s));
  EXPECT_EQ(parse_control(encode(only_gone)), only_gone);
}

TEST(ControlBodies, AreLoggedAsSkrouterdLogsThem) {
  EXPECT_EQ(to_string(Hello{"c0", 1, 7, {"c1", "c2"}}), "HELLO(id=c0 pv=1 area=0 inst=7 seen=['c1', 'c2'])");
  EXPECT_EQ(to_string(RouterAdvertisement{"c0", 1, 7, 2, 3}), "RA(id=c0 pv=1 area=0 inst=7 ls_seq=2 mobile_seq=3)");
  EXPECT_EQ(to_string(LinkStateUpdate{"c0", 1, 7, 2, {"c0", 2, {{"c1", 1}}}}),
            "LSU(id=c0 pv=1 area=0 inst=7 ls_seq=2 ls=LS(id=c0 area=0 ls_seq=2 peers={'c1': 1}))");
  EXPECT_EQ(to_string(MobileAddressUpdate{"c0", 2, 5, AddressChanges{{{"Ma", 3, 0}}, {"Mb"}}}),
            "MAU(id=c0 pv=2 area=0 mobile_seq=5 add=['Ma'] del=['Mb'])");
}

TEST(Flow, WaitsForItsHeadAndBeginsAfterIt) {
  const auto head = flow_request("c1", "svc1:8080", reply_address("c1", "QDN_GbjpU_GPGc7"), "PqkwA:5");
  const auto bytes = encode(head);
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_EQ(parse_flow(std::string_view(bytes).substr(0, length)), std::nullopt) << length;
  const auto parsed = parse_flow(bytes + "GET / HTTP/1.1");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->head, head);
  EXPECT_EQ(parsed->length, bytes.size());
}

TEST(Flow, GoesOnWithAnotherHopInItsTrace) {
  const auto bytes = encode(flow_request("c1", "svc1:8080", "reply", "id"));
  const auto onward = forward_annotations(bytes + "data", "c2");
  ASSERT_TRUE(onward);
  const auto parsed = parse_flow(onward->encoded + (bytes + "data").substr(onward->length));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->head.annotations.trace, (std::vector<std::string>{"0/c1", "0/c2"}));
  EXPECT_EQ(parsed->head.to, "svc1:8080");
}

TEST(Flow, IsRefusedWithTheReason) {
  const auto with = [](std::uint32_t version, Value to) {
    Encoder encoder;
    encoder.section(0x73, List{Value(), Value(), std::move(to)});
    encoder.section(0x74, Map{{"V", version}});
    encoder.section(0x77, Value());
    return error_of([&] { parse_flow(encode(originate("c1")) + encoder.take()); });
  };
  EXPECT_EQ(with(1, "x"), "no error");
  EXPECT_THAT(with(2, "x"), HasSubstr("encapsulation version (V) is uint 2, not 1"));
  EXPECT_THAT(with(1, Value()), HasSubstr("no address"));
  // A string of 4 GB in the properties would be waited for for ever.
  const auto endless = encode(originate("c1")) + "\x00\x53\x73\xd0\xff\xff\xff\xff"s;
  EXPECT_EQ(parse_flow(endless), std::nullopt);
  EXPECT_THAT(error_of([&] { parse_flow(endless + std::string(20'000, 'x')); }), HasSubstr("hasn't ended after"));
}

TEST(Addresses, AreReadWithAndWithoutScheme) {
  EXPECT_EQ(parse_address("amqp:/_local/qdhello"), Address(LocalAddress{"qdhello"}));
  EXPECT_EQ(parse_address("_topo/0/all/qdrouter.ma"), Address(TopologicalAddress{"0", "all", "qdrouter.ma"}));
  EXPECT_EQ(parse_address("amqp://10.0.0.1/_topo/0/c1/temp.a+b_c"),
            Address(TopologicalAddress{"0", "c1", "temp.a+b_c"}));
  EXPECT_EQ(parse_address("amqp:/_edge/e1/temp.x"), Address(EdgeAddress{"e1", "temp.x"}));
  EXPECT_EQ(parse_address("svc1:8080"), Address(MobileAddress{"svc1:8080"}));
  EXPECT_EQ(parse_address("amqp:/a/b"), Address(MobileAddress{"a/b"}));
  EXPECT_EQ(parse_address("_topo/0"), Address(TopologicalAddress{"0", "", ""}));
  EXPECT_EQ(parse_address(""), Address(MobileAddress{""}));
  for (const auto* text : {"amqp:/_local/qdhello", "amqp:/_topo/0/c1/qdrouter", "amqp:/_edge/e1/x", "svc1:8080"})
    EXPECT_EQ(to_string(parse_address(text)), text);
}

TEST(Addresses, HaveRandomNamesOfFifteenCharacters) {
  std::uint64_t bits = 0;
  EXPECT_EQ(make_discriminator([&] { return bits; }), "AAAAAAAAAAAAAAA");
  bits = ~bits;
  EXPECT_EQ(make_discriminator([&] { return bits; }), "_______________");
  EXPECT_EQ(reply_address("c1", "QDN_GbjpU_GPGc7"), "amqp:/_topo/0/c1/temp.QDN_GbjpU_GPGc7");
}

}  // namespace
}  // namespace knetsim::skupper::wire
