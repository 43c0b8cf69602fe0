// Captures: one interface watched for a certain packet; all interfaces of many namespaces kept as pcapng.
#include "knetsim/sys/capture.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

const fs::path kTrace = fs::path(kStateDirectory) / "trace.pcapng";

void run(const NetNs& ns, std::vector<std::string> argv) {
  const auto result = exec({.argv = std::move(argv), .netns = &ns});
  ASSERT_TRUE(result.ok()) << result.err;
}

// Datagrams from 127.0.0.1 to 127.0.0.1 in this namespace, each with its text. Nobody listens.
void send_to_loopback(const NetNs& ns, const std::string& text, std::uint16_t port = 9) {
  ns.run([&] {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::sendto(socket.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(text.size()));
  });
}

// What a person sees who opens the trace. Without names and with absolute time stamps.
std::string shown_by_tcpdump(std::vector<std::string> more = {}) {
  std::vector<std::string> argv = {"tcpdump", "-nr", kTrace};
  argv.insert(argv.end(), more.begin(), more.end());
  const auto result = exec({.argv = argv});
  EXPECT_TRUE(result.ok()) << result.err;
  return result.out;
}

bool carries(packet::Bytes frame, std::string_view text) {
  return std::string_view(reinterpret_cast<const char*>(frame.data()), frame.size()).find(text) !=
         std::string_view::npos;
}

// Two hosts on a link, each with VXLAN 100 over it: what a pair of workers has.
struct VxlanPair {
  NetNs a = NetNs::create();
  NetNs b = NetNs::create();

  VxlanPair() {
    a.pin("a");
    b.pin("b");
    run(a, {"ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", "b"});
    configure(a, "10.0.0.3", "11.0.1.1");
    configure(b, "10.0.0.4", "11.0.2.1");
  }

  static void configure(const NetNs& ns, const std::string& underlay, const std::string& overlay) {
    run(ns, {"ip", "address", "add", underlay + "/8", "dev", "eth0"});
    run(ns, {"ip", "link", "set", "eth0", "up"});
    run(ns, {"ip", "link", "add", "flannel.100", "type", "vxlan", "id", "100", "dev", "eth0", "local", underlay,
             "dstport", "8472", "nolearning"});
    run(ns, {"ip", "address", "add", overlay + "/16", "dev", "flannel.100"});
    run(ns, {"ip", "link", "set", "flannel.100", "up"});
    const auto peer = underlay == "10.0.0.3" ? "10.0.0.4" : "10.0.0.3";
    run(ns, {"bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "flannel.100", "dst", peer});
  }
};

TEST(Capture, FindsTheOuterHeaderOfAnOverlayPacketOnTheUnderlay) {
  const VxlanPair pair;
  Capture capture(pair.b, "eth0");
  run(pair.a, {"ping", "-c1", "-W5", "11.0.2.1"});

  const auto frame = capture.wait_for(
      [](packet::Bytes bytes) {
        const auto encapsulated = packet::parse_encapsulated(bytes);
        const auto inner = encapsulated ? packet::parse_ip(encapsulated->inner.payload) : std::nullopt;
        return inner && inner->protocol == IPPROTO_ICMP;
      },
      "a ping inside VXLAN");
  const auto encapsulated = packet::parse_encapsulated(frame);
  EXPECT_EQ(encapsulated->vxlan.vni, 100U);
  EXPECT_EQ(encapsulated->udp.destination_port, 8472);
  EXPECT_EQ(encapsulated->outer.source, parse_address("10.0.0.3"));
  EXPECT_EQ(encapsulated->outer.destination, parse_address("10.0.0.4"));
  EXPECT_EQ(packet::parse_ip(encapsulated->inner.payload)->source, parse_address("11.0.1.1"));
}

TEST(Capture, SeesBothDirections) {
  const VxlanPair pair;
  Capture capture(pair.a, "eth0");
  run(pair.a, {"ping", "-c1", "-W5", "10.0.0.4"});
  const auto icmp_of_type = [](std::uint8_t type) {
    return [type](packet::Bytes bytes) {
      const auto ethernet = packet::parse_ethernet(bytes);
      const auto ip = ethernet ? packet::parse_ip(ethernet->payload) : std::nullopt;
      return ip && ip->protocol == IPPROTO_ICMP && packet::parse_icmp(ip->payload)->type == type;
    };
  };
  capture.wait_for(icmp_of_type(8), "an echo request");
  capture.wait_for(icmp_of_type(0), "an echo reply");
}

TEST(Capture, HearsNothingOfOtherInterfaces) {
  const VxlanPair pair;
  Capture capture(pair.a, "eth0");
  send_to_loopback(pair.a, "elsewhere");
  EXPECT_TRUE(capture.saw_none([](packet::Bytes bytes) { return carries(bytes, "elsewhere"); }));
}

TEST(Capture, TellsThatAPacketCame) {
  const auto ns = NetNs::create();
  Capture capture(ns, "lo");
  send_to_loopback(ns, "forbidden");
  EXPECT_FALSE(capture.saw_none([](packet::Bytes bytes) { return carries(bytes, "forbidden"); }));
}

TEST(Capture, SaysWhatItSawInstead) {
  const auto ns = NetNs::create();
  Capture capture(ns, "lo");
  send_to_loopback(ns, "hello", 4242);
  try {
    capture.wait_for([](packet::Bytes) { return false; }, "a miracle", milliseconds(20));
    FAIL() << "a miracle was seen";
  } catch (const StillMissing& error) {
    EXPECT_THAT(error.what(), HasSubstr("a miracle on lo"));
    EXPECT_THAT(error.what(), HasSubstr("2 packets seen")) << "the datagram, and that nobody listens";
    EXPECT_THAT(error.what(), HasSubstr("the last of them 127.0.0.1 > 127.0.0.1 ICMP 3/3"));
  }
}

TEST(Capture, SeesPacketsOfAnySizeWhole) {
  const auto ns = NetNs::create();
  Capture capture(ns, "lo");
  send_to_loopback(ns, std::string(60'000, 'x') + "end");
  const auto frame = capture.wait_for([](packet::Bytes bytes) { return carries(bytes, "end"); }, "a large datagram");
  EXPECT_GE(frame.size(), 60'003U);
}

TEST(Capture, NamesAnInterfaceThatIsMissing) {
  const auto ns = NetNs::create();
  try {
    const Capture capture(ns, "eth7");
    FAIL() << "an absent interface was captured";
  } catch (const SystemError& error) {
    EXPECT_EQ(error.error(), ENODEV);
    EXPECT_THAT(error.what(), HasSubstr("eth7"));
  }
}

// The file, block by block: (type, body). Stops the test if lengths don't add up.
std::vector<std::pair<std::uint32_t, std::string>> blocks_of(const std::string& content) {
  std::vector<std::pair<std::uint32_t, std::string>> blocks;
  const auto word = [&](std::size_t at) {
    std::uint32_t value = 0;
    if (at + 4 <= content.size()) std::memcpy(&value, content.data() + at, 4);
    return value;
  };
  for (std::size_t at = 0; at < content.size();) {
    const auto length = word(at + 4);
    if (length < 12 || length % 4 != 0 || at + length > content.size() || word(at + length - 4) != length) {
      ADD_FAILURE() << "a block of " << length << " bytes at " << at << " of " << content.size();
      break;
    }
    blocks.emplace_back(word(at), content.substr(at + 8, length - 12));
    at += length;
  }
  return blocks;
}

constexpr std::uint32_t kInterfaceBlock = 1;
constexpr std::uint32_t kStatisticsBlock = 5;
constexpr std::uint32_t kPacketBlock = 6;

std::chrono::nanoseconds time_of_packet(const std::string& body) {
  std::uint32_t high = 0;
  std::uint32_t low = 0;
  std::memcpy(&high, body.data() + 4, sizeof high);
  std::memcpy(&low, body.data() + 8, sizeof low);
  return std::chrono::nanoseconds(static_cast<std::int64_t>(std::uint64_t{high} << 32 | low));
}

TEST(PacketTrace, IsReadByTcpdumpWithTheNamesOfItsInterfaces) {
  const VxlanPair pair;
  PacketTrace trace;
  trace.add("C0w1", pair.a);
  trace.add("C0w2", pair.b);
  run(pair.a, {"ping", "-c1", "-W5", "11.0.2.1"});
  trace.save(kTrace);

  EXPECT_THAT(shown_by_tcpdump({"icmp[icmptype]=icmp-echo"}), HasSubstr("11.0.1.1 > 11.0.2.1: ICMP echo request"));
  EXPECT_THAT(shown_by_tcpdump({"udp port 8472"}), HasSubstr("10.0.0.3."));
  const auto content = read_file(kTrace);
  for (const char* interface : {"C0w1:lo", "C0w1:eth0", "C0w1:flannel.100", "C0w2:lo", "C0w2:eth0"})
    EXPECT_THAT(content, HasSubstr(interface));
}

TEST(PacketTrace, IsInOrderOfTimeThoughNamespacesAreReadInTurn) {
  const VxlanPair pair;
  PacketTrace trace;
  trace.add("a", pair.a);
  trace.add("b", pair.b);
  run(pair.a, {"ping", "-c5", "-i0.01", "-W5", "11.0.2.1"});
  trace.save(kTrace);

  std::vector<std::chrono::nanoseconds> times;
  for (const auto& [type, body] : blocks_of(read_file(kTrace)))
    if (type == kPacketBlock) times.push_back(time_of_packet(body));
  EXPECT_GE(times.size(), 40U) << "ten echo packets, each seen on four interfaces";
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
}

TEST(PacketTrace, WritesWellFormedBlocksWithDirectionTimeAndCounts) {
  const auto ns = NetNs::create();
  const auto before = std::chrono::system_clock::now().time_since_epoch();
  PacketTrace trace;
  trace.add("w", ns);
  send_to_loopback(ns, "odd");
  trace.save(kTrace);
  const auto after = std::chrono::system_clock::now().time_since_epoch();

  const auto blocks = blocks_of(read_file(kTrace));
  ASSERT_EQ(blocks.size(), 5U) << "section, interface, datagram, port unreachable, statistics";
  EXPECT_EQ(blocks[0].first, 0x0a0d0d0aU);
  EXPECT_EQ(blocks[1].first, kInterfaceBlock);
  EXPECT_THAT(blocks[1].second, HasSubstr("w:lo"));
  EXPECT_THAT(blocks[1].second, HasSubstr(std::string("\x09\x00\x01\x00\x09", 5))) << "if_tsresol: nanoseconds";
  EXPECT_EQ(blocks[4].first, kStatisticsBlock);

  ASSERT_EQ(blocks[2].first, kPacketBlock);
  const auto& packet = blocks[2].second;
  const auto time = time_of_packet(packet);
  EXPECT_GE(time, before);
  EXPECT_LE(time, after);
  const std::string inbound_unicast("\x02\x00\x04\x00\x05\x00\x00\x00", 8);
  EXPECT_THAT(packet, HasSubstr(inbound_unicast));
}

TEST(PacketTrace, MarksWhatWasSent) {
  const VxlanPair pair;
  PacketTrace trace;
  trace.add("a", pair.a);
  run(pair.a, {"ping", "-c1", "-W5", "10.0.0.4"});
  trace.save(kTrace);
  const std::string outbound("\x02\x00\x04\x00\x02\x00\x00\x00", 8);
  EXPECT_THAT(read_file(kTrace), HasSubstr(outbound));
}

TEST(PacketTrace, SeesInterfacesThatComeLater) {
  const auto ns = NetNs::create();
  PacketTrace trace;
  trace.add("w", ns);
  run(ns, {"ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1"});
  run(ns, {"ip", "link", "set", "late1", "up"});
  run(ns, {"ip", "link", "set", "late0", "up"});
  const auto announced = [&]() -> std::optional<std::string> {
    trace.save(kTrace);
    return read_file(kTrace).find("w:late0") == std::string::npos
               ? std::optional<std::string>("a packet of IPv6 neighbour discovery on late0")
               : std::nullopt;
  };
  EXPECT_NO_THROW(eventually(announced));
}

TEST(PacketTrace, IsAValidFileWithoutAnyPacket) {
  const auto ns = NetNs::create();
  PacketTrace trace;
  trace.add("silent", ns);
  trace.save(kTrace);
  EXPECT_EQ(shown_by_tcpdump(), "");
}

TEST(PacketTrace, ForgetsTheOldestWhenItIsFull) {
  const auto ns = NetNs::create();
  PacketTrace trace({.bytes = 1 << 20, .packets = 10, .snap_length = 512});
  trace.add("w", ns);
  for (int i = 10; i < 60; ++i) send_to_loopback(ns, "number" + std::to_string(i));
  const auto counts = trace.counts();
  EXPECT_EQ(counts.kept, 10U);
  EXPECT_EQ(counts.forgotten, 90U) << "50 datagrams, 50 answers that nobody listens";
  trace.save(kTrace);
  EXPECT_THAT(read_file(kTrace), HasSubstr("number59"));
  EXPECT_THAT(read_file(kTrace), Not(HasSubstr("number54")));
}

TEST(PacketTrace, StaysBelowItsBytes) {
  const auto ns = NetNs::create();
  PacketTrace trace({.bytes = 100'000, .packets = 100'000, .snap_length = 2000});
  trace.add("w", ns);
  for (int i = 0; i < 500; ++i) send_to_loopback(ns, std::string(1500, 'x'));
  EXPECT_GT(trace.counts().forgotten, 0U);
  trace.save(kTrace);
  EXPECT_LE(fs::file_size(kTrace), 110'000U);
  EXPECT_GE(fs::file_size(kTrace), 50'000U);
}

TEST(PacketTrace, KeepsTheBeginningOfLongPackets) {
  const auto ns = NetNs::create();
  PacketTrace trace({.bytes = 1 << 20, .packets = 1000, .snap_length = 100});
  trace.add("w", ns);
  send_to_loopback(ns, std::string(1000, 'x') + "tail");
  trace.save(kTrace);
  EXPECT_THAT(read_file(kTrace), Not(HasSubstr("tail")));
  EXPECT_THAT(shown_by_tcpdump({"-e"}), HasSubstr("length 1046")) << "the length on the wire is still told";
}

TEST(PacketTrace, StopsOnceAndKeepsWhatItHas) {
  const auto ns = NetNs::create();
  PacketTrace trace;
  trace.add("w", ns);
  send_to_loopback(ns, "before");
  trace.stop();
  trace.stop();
  send_to_loopback(ns, "after");
  trace.save(kTrace);
  EXPECT_THAT(read_file(kTrace), HasSubstr("before"));
  EXPECT_THAT(read_file(kTrace), Not(HasSubstr("after")));
  EXPECT_THROW(trace.add("late", ns), Error);
}

TEST(PacketTrace, AccountsForEveryPacketKeptForgottenOrLost) {
  const auto ns = NetNs::create();
  PacketTrace trace({.bytes = 1 << 10, .packets = 10, .snap_length = 64});
  trace.add("w", ns);
  constexpr std::uint64_t kSent = 1000;
  for (std::uint64_t i = 0; i < kSent; ++i) send_to_loopback(ns, std::string(20'000, 'x'));
  const auto counts = trace.counts();
  EXPECT_GE(counts.kept + counts.forgotten + counts.dropped, kSent);
}

TEST(PacketTrace, LeavesNoDescriptorBehind) {
  const auto open_descriptors = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  const auto ns = NetNs::create();
  const auto before = open_descriptors();
  {
    PacketTrace trace;
    for (int i = 0; i < 11; ++i) trace.add("w" + std::to_string(i), ns);
    EXPECT_GT(open_descriptors(), before);
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace knetsim
