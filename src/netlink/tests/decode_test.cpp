#include "decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstring>

#include "attributes.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/netlink/error.h"
#include "message.h"

namespace knetsim::netlink {
namespace {

/// A message in a buffer of exactly its length, so that the sanitizers see any step beyond it.
class Bytes {
 public:
  explicit Bytes(const Message& message)
      : bytes_(reinterpret_cast<const char*>(message.raw()),
               reinterpret_cast<const char*>(message.raw()) + message.raw()->nlmsg_len) {}

  nlmsghdr* get() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  std::size_t size() const { return bytes_.size(); }
  /// The first `count` bytes, nlmsg_len in agreement.
  Bytes cut(std::size_t count) const {
    Bytes part = *this;
    part.bytes_.resize(count);
    part.bytes_.shrink_to_fit();
    part.get()->nlmsg_len = static_cast<std::uint32_t>(count);
    return part;
  }

 private:
  std::vector<char> bytes_;
};

Message link_message() {
  Message message(RTM_NEWLINK, 0);
  ifinfomsg header{};
  header.ifi_index = 7;
  message.header(header).string(IFLA_IFNAME, "flannel.100").u32(IFLA_MTU, 1450).mac(IFLA_ADDRESS, Mac{});
  message.nest(IFLA_LINKINFO, [&] {
    message.string(IFLA_INFO_KIND, "vxlan");
    message.nest(IFLA_INFO_DATA, [&] {
      message.u32(IFLA_VXLAN_ID, 100).address(IFLA_VXLAN_LOCAL, parse_address("10.0.0.3")).be16(IFLA_VXLAN_PORT, 8472);
    });
  });
  return message;
}

Message route_message() {
  Message message(RTM_NEWROUTE, 0);
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = 20;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_type = RTN_UNICAST;
  message.header(header).address(RTA_DST, parse_address("11.20.0.0"));
  message.nest(RTA_MULTIPATH, [&] {
    rtnexthop hop{};
    hop.rtnh_len = sizeof hop + 8;
    hop.rtnh_ifindex = 7;
    message.header(hop).address(RTA_GATEWAY, parse_address("10.0.0.4"));
  });
  return message;
}

Message address_message() {
  Message message(RTM_NEWADDR, 0);
  ifaddrmsg header{};
  header.ifa_family = AF_INET6;
  header.ifa_prefixlen = 64;
  header.ifa_index = 7;
  message.header(header).address(IFA_ADDRESS, parse_address("fd00::3")).u32(IFA_FLAGS, 0);
  return message;
}

Message neighbour_message(int family) {
  Message message(RTM_NEWNEIGH, 0);
  ndmsg header{};
  header.ndm_family = static_cast<std::uint8_t>(family);
  header.ndm_ifindex = 7;
  message.header(header).address(NDA_DST, parse_address("10.0.0.4")).mac(NDA_LLADDR, Mac{});
  return message;
}

/// Every shorter piece is refused or decoded from what is there; the sanitizers watch that nothing beyond is read.
template <typename Decode>
void expect_no_step_beyond(const Message& message, std::size_t header, Decode&& decode) {
  const Bytes whole(message);
  for (std::size_t count = sizeof(nlmsghdr); count < whole.size(); ++count) {
    auto piece = whole.cut(count);
    try {
      decode(piece.get());
      EXPECT_GE(count, sizeof(nlmsghdr) + header) << "its header is cut off";
    } catch (const Error& error) {
      EXPECT_EQ(error.error(), EBADMSG) << error.what();
    }
  }
  EXPECT_TRUE(decode(Bytes(whole).get()));
}

TEST(Decoding, ACutMessageIsNeverReadBeyondItsEnd) {
  expect_no_step_beyond(link_message(), sizeof(ifinfomsg), [](nlmsghdr* m) { return decode_link(m).has_value(); });
  expect_no_step_beyond(route_message(), sizeof(rtmsg), [](nlmsghdr* m) { return decode_route(m).has_value(); });
  expect_no_step_beyond(address_message(), sizeof(ifaddrmsg),
                        [](nlmsghdr* m) { return decode_address(m).has_value(); });
  expect_no_step_beyond(neighbour_message(AF_INET), sizeof(ndmsg),
                        [](nlmsghdr* m) { return decode_neighbour(m).has_value(); });
  expect_no_step_beyond(neighbour_message(AF_BRIDGE), sizeof(ndmsg),
                        [](nlmsghdr* m) { return decode_fdb(m).has_value(); });
}

TEST(Decoding, AWholeMessageTellsEverything) {
  const auto link = decode_link(Bytes(link_message()).get());
  ASSERT_TRUE(link && link->vxlan);
  EXPECT_EQ(link->name, "flannel.100");
  EXPECT_EQ(link->vxlan->vni, 100U);
  EXPECT_EQ(link->vxlan->local, parse_address("10.0.0.3"));
  EXPECT_EQ(link->vxlan->port, 8472);
  const auto route = decode_route(Bytes(route_message()).get());
  ASSERT_TRUE(route);
  EXPECT_EQ(route->hops, (std::vector<NextHop>{{.gateway = parse_address("10.0.0.4"), .interface = 7}}));
}

TEST(Decoding, WhateverAByteIsChangedToIsDecodedOrRefused) {
  for (const auto& message : {link_message(), route_message(), address_message(), neighbour_message(AF_INET)}) {
    const Bytes whole(message);
    for (std::size_t at = sizeof(nlmsghdr); at < whole.size(); ++at)
      for (const char value : {'\x00', '\x01', '\x7f', '\xff'}) {
        Bytes odd = whole;
        reinterpret_cast<char*>(odd.get())[at] = value;
        try {
          switch (odd.get()->nlmsg_type) {
            case RTM_NEWLINK:
              decode_link(odd.get());
              break;
            case RTM_NEWROUTE:
              decode_route(odd.get());
              break;
            case RTM_NEWADDR:
              decode_address(odd.get());
              break;
            default:
              decode_neighbour(odd.get());
          }
        } catch (const Error& error) {
          EXPECT_EQ(error.error(), EBADMSG) << error.what();
        }
      }
  }
}

TEST(Decoding, AnAttributeTooShortForItsTypeIsRefused) {
  Message message(RTM_NEWLINK, 0);
  message.header(ifinfomsg{}).u8(IFLA_MTU, 1);
  EXPECT_THROW(decode_link(Bytes(message).get()), Error);
}

TEST(Decoding, APrefixLongerThanItsAddressIsRefused) {
  auto message = address_message();
  static_cast<ifaddrmsg*>(nlmsg_data(message.raw()))->ifa_prefixlen = 129;
  EXPECT_THROW(decode_address(Bytes(message).get()), Error);
  auto route = route_message();
  static_cast<rtmsg*>(nlmsg_data(route.raw()))->rtm_dst_len = 33;
  EXPECT_THROW(decode_route(Bytes(route).get()), Error);
}

TEST(Decoding, WhatBelongsToABridgeIsNoLinkAndNoNeighbour) {
  auto message = link_message();
  static_cast<ifinfomsg*>(nlmsg_data(message.raw()))->ifi_family = AF_BRIDGE;
  EXPECT_FALSE(decode_link(Bytes(message).get()));
  EXPECT_FALSE(decode_neighbour(Bytes(neighbour_message(AF_BRIDGE)).get()));
  EXPECT_FALSE(decode_fdb(Bytes(neighbour_message(AF_INET)).get()));
}

TEST(Decoding, CachedRoutesAndOtherFamiliesAreLeftOut) {
  auto cached = route_message();
  static_cast<rtmsg*>(nlmsg_data(cached.raw()))->rtm_flags = RTM_F_CLONED;
  EXPECT_FALSE(decode_route(Bytes(cached).get()));
  auto multicast = route_message();
  static_cast<rtmsg*>(nlmsg_data(multicast.raw()))->rtm_family = 128;
  EXPECT_FALSE(decode_route(Bytes(multicast).get()));
}

/// NLMSG_ERROR as the kernel writes it.
Message refusal_message(int error, bool capped, bool with_text) {
  Message message(NLMSG_ERROR, 0);
  nlmsgerr answer{};
  answer.error = -error;
  answer.msg.nlmsg_len = capped ? sizeof(nlmsghdr) + 100 : sizeof(nlmsghdr) + 8;
  message.header(answer);
  if (!capped) message.header(std::uint64_t{0});
  if (capped) message.raw()->nlmsg_flags |= NLM_F_CAPPED;
  if (!with_text) return message;
  message.raw()->nlmsg_flags |= NLM_F_ACK_TLVS;
  message.u32(NLMSGERR_ATTR_OFFS, 4).string(NLMSGERR_ATTR_MSG, "no such thing");
  return message;
}

TEST(Verdicts, TheKernelsWordsAreFoundBehindAWholeRequestAndBehindItsHeader) {
  for (const bool capped : {false, true}) {
    const auto verdict = read_verdict(Bytes(refusal_message(EINVAL, capped, true)).get());
    EXPECT_EQ(verdict.error, EINVAL);
    EXPECT_EQ(verdict.extack, "no such thing");
    EXPECT_EQ(read_verdict(Bytes(refusal_message(EINVAL, capped, false)).get()).extack, "");
  }
}

TEST(Verdicts, ACutOneIsRefusedOrReadWithoutItsWords) {
  for (const bool capped : {false, true}) {
    const Bytes whole(refusal_message(EINVAL, capped, true));
    for (std::size_t count = sizeof(nlmsghdr); count < whole.size(); ++count) {
      auto piece = whole.cut(count);
      if (count < sizeof(nlmsghdr) + sizeof(nlmsgerr)) {
        EXPECT_THROW(read_verdict(piece.get()), Error) << count;
      } else {
        EXPECT_EQ(read_verdict(piece.get()).error, EINVAL) << count;
      }
    }
  }
}

TEST(Verdicts, ARequestThatClaimsToBeLongerThanTheAnswerLeadsNowhere) {
  auto message = refusal_message(EINVAL, false, true);
  static_cast<nlmsgerr*>(nlmsg_data(message.raw()))->msg.nlmsg_len = 0xffffffff;
  EXPECT_EQ(read_verdict(Bytes(message).get()).extack, "");
}

TEST(Verdicts, TheEndOfADumpMayCarryAnError) {
  Message message(NLMSG_DONE, 0);
  message.header(int{-EIO});
  EXPECT_EQ(read_end_of_dump(Bytes(message).get()).error, EIO);
  EXPECT_EQ(read_end_of_dump(Bytes(message).cut(sizeof(nlmsghdr)).get()).error, 0);
}

TEST(Messages, OneThatDoesNotFitIsAnErrorAndNotCut) {
  Message message(RTM_NEWLINK, 0);
  const std::string big(100'000, 'x');
  EXPECT_THROW(message.string(IFLA_IFALIAS, big), Error);
}

}  // namespace
}  // namespace knetsim::netlink
