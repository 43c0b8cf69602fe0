// What a worker's pods may rely on, whoever connects them.

#include "knetsim/cni/pod_network.h"

#include <gmock/gmock.h>
#include <linux/rtnetlink.h>

#include <set>
#include <thread>

#include "knetsim/cni/specification.h"
#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sysctl.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PodNetworkOf : public testing::TestWithParam<Flavour> {};
INSTANTIATE_TEST_SUITE_P(, PodNetworkOf, testing::Values(Flavour::builtin, Flavour::real),
                         [](const auto& param) { return to_string(param.param); });

std::optional<netlink::Link> link_in(const NetNs& ns, const std::string& name) {
  netlink::Socket socket(ns);
  return netlink::find_link(socket, name);
}

TEST_P(PodNetworkOf, GivesAPodTheFirstAddressAfterTheGateway) {
  const TestWorker worker;
  const TestContainer c1("c1");
  const auto result = worker.network(GetParam()).attach(c1.attachment());

  EXPECT_THAT(result.addresses(), ElementsAre(parse_address("11.13.0.2")));
  ASSERT_EQ(result.ips.size(), 1U);
  EXPECT_EQ(result.ips[0].gateway, parse_address("11.13.0.1"));
  EXPECT_EQ(link_in(c1.netns(), "eth0")->mtu, 1450U);
  EXPECT_EQ(link_in(worker.netns(), "cni0")->mtu, 1450U);
}

TEST_P(PodNetworkOf, LetsPodsOfAWorkerTalkToEachOtherAndToTheGateway) {
  const TestWorker worker;
  const TestContainer c1("c1");
  const TestContainer c2("c2");
  auto network = worker.network(GetParam());
  network.attach(c1.attachment());
  const auto second = network.attach(c2.attachment()).addresses().front();

  EXPECT_TRUE(succeeds(c1.netns(), {"ping", "-c1", "-W5", "11.13.0.1"}));
  EXPECT_TRUE(succeeds(c1.netns(), {"ping", "-c1", "-W5", second.to_string()}));
  EXPECT_TRUE(succeeds(worker.netns(), {"ping", "-c1", "-W5", second.to_string()}));
}

TEST_P(PodNetworkOf, LetsPodsTalkInBothAddressFamilies) {
  const TestWorker worker("w1", kDualStackLease);
  const TestContainer c1("c1");
  const TestContainer c2("c2");
  auto network = worker.network(GetParam());
  network.attach(c1.attachment());
  const auto result = network.attach(c2.attachment());

  netlink::Socket socket(worker.netns());
  for (const auto& address : netlink::list_addresses(socket, netlink::get_link(socket, "cni0").index)) {
    const bool gateway = address_of(address.address) == parse_address("fd00:0:0:1::1");
    EXPECT_FALSE(gateway && address.tentative()) << to_string(address);
  }
  EXPECT_EQ(worker.netns().run([] { return read_sysctl("net.ipv6.conf.cni0.accept_dad"); }), "0")
      << "duplicate address detection would keep the gateway silent for a second or two";
  EXPECT_THAT(result.addresses(), ElementsAre(parse_address("11.13.0.3"), parse_address("fd00:0:0:1::3")));
  for (const auto& address : result.addresses())
    EXPECT_TRUE(succeeds(c1.netns(), {"ping", "-c1", "-W5", address.to_string()})) << address;
  EXPECT_TRUE(succeeds(c1.netns(), {"ping", "-c1", "-W5", "fd00:0:0:1::1"}));
  EXPECT_EQ(worker.netns().run([] { return read_sysctl("net.ipv6.conf.all.forwarding"); }), "1");
}

TEST_P(PodNetworkOf, KeepsAddressesWhileALinkIsDown) {
  const TestWorker worker("w1", kDualStackLease);
  const TestContainer c1("c1");
  worker.network(GetParam()).attach(c1.attachment());
  for (const auto& [ns, name] : {std::pair(&c1.netns(), "eth0"), std::pair(&worker.netns(), "cni0")}) {
    netlink::Socket socket(*ns);
    const auto link = netlink::get_link(socket, name).index;
    const auto global = [&] {
      std::set<std::string> addresses;
      for (const auto& address : netlink::list_addresses(socket, link))
        if (address.scope == RT_SCOPE_UNIVERSE) addresses.insert(knetsim::to_string(address.address));
      return addresses;
    };
    const auto before = global();
    EXPECT_THAT(before, testing::SizeIs(2)) << name;
    netlink::set_down(socket, link);
    netlink::set_up(socket, link);
    EXPECT_EQ(global(), before) << name;
  }
}

TEST_P(PodNetworkOf, PutsTheHostEndOnTheBridgeWithHairpinMode) {
  const TestWorker worker;
  const TestContainer c1("c1");
  const auto result = worker.network(GetParam()).attach(c1.attachment());

  const auto outer = link_in(worker.netns(), result.host_interface());
  ASSERT_TRUE(outer);
  EXPECT_EQ(outer->master, link_in(worker.netns(), "cni0")->index);
  EXPECT_TRUE(outer->hairpin);
  EXPECT_TRUE(outer->running);
}

TEST_P(PodNetworkOf, RoutesThePodToAllWorkersAndByDefaultThroughTheGateway) {
  const TestWorker worker;
  const TestContainer c1("c1");
  worker.network(GetParam()).attach(c1.attachment());

  netlink::Socket socket(c1.netns());
  std::set<std::string> via_gateway;
  for (const auto& route : netlink::list_routes(socket, AF_INET))
    if (route.gateway == parse_address("11.13.0.1")) via_gateway.insert(knetsim::to_string(route.destination));
  EXPECT_THAT(via_gateway, ElementsAre("0.0.0.0/0", "11.0.0.0/8"));
}

TEST_P(PodNetworkOf, MasqueradesNothingSoThatPodsKeepTheirSourceAddress) {
  const TestWorker worker;
  const TestContainer c1("c1");
  worker.network(GetParam()).attach(c1.attachment());
  EXPECT_THAT(output(worker.netns(), {"nft", "list", "ruleset"}), Not(HasSubstr("masquerade")));
}

TEST_P(PodNetworkOf, AttachesPodsAfterVipRulesStand) {
  const TestWorker worker;
  const TestContainer c1("c1");
  const auto rules = worker.directory() / "vip.nft";
  write_file_atomically(
      rules,
      "table ip vip {\n chain prerouting {\n  type nat hook prerouting priority dstnat; policy accept;\n"
      "  ip daddr 100.64.10.1 dnat to numgen inc mod 2 map { 0 : 11.13.0.2, 1 : 11.13.0.3 }\n }\n}\n");
  output(worker.netns(), {"nft", "-f", rules.string()});
  EXPECT_THAT(worker.network(GetParam()).attach(c1.attachment()).addresses(), testing::SizeIs(1));
  EXPECT_THAT(output(worker.netns(), {"nft", "list", "ruleset"}), HasSubstr("numgen inc mod 2"));
}

TEST_P(PodNetworkOf, RefusesToAttachTheSamePodTwiceAndLeavesItAsItIs) {
  const TestWorker worker;
  const TestContainer c1("c1");
  auto network = worker.network(GetParam());
  network.attach(c1.attachment());

  const auto error = thrown<Error>([&] { network.attach(c1.attachment()); });
  EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("w1: can't ADD container c1"), HasSubstr("attached already")));
  EXPECT_NO_THROW(network.check("c1"));
  EXPECT_THAT(files_in(worker.allocations()), Contains("11.13.0.2"));
}

TEST_P(PodNetworkOf, RefusesASecondPodInTheSameNamespaceAndLeavesTheFirst) {
  const TestWorker worker;
  const TestContainer c1("c1");
  auto network = worker.network(GetParam());
  network.attach(c1.attachment());

  const auto error = thrown<Error>([&] { network.attach({.container_id = "c2", .netns = "/run/netns/c1"}); });
  EXPECT_THAT(error.what(), HasSubstr("container veth name provided (eth0) already exists"));
  EXPECT_EQ(error.failure().code, kGenericFailure);
  EXPECT_NO_THROW(network.check("c1"));
  EXPECT_THAT(files_in(worker.allocations()), Not(Contains("11.13.0.3")));
}

TEST_P(PodNetworkOf, KeepsNothingOfAPodWhoseResultCannotBeStored) {
  const TestWorker worker;
  const TestContainer c1("c1");
  const auto cache = worker.directory() / "cni/cache";
  std::filesystem::create_directories(cache.parent_path());
  std::filesystem::create_symlink("/nonexistent", cache);

  const auto error = thrown<SystemError>([&] { worker.network(GetParam()).attach(c1.attachment()); });
  EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("/run/knetsim/w1/cni/cache"), HasSubstr("out of the way")));
  EXPECT_FALSE(link_in(c1.netns(), "eth0"));
  EXPECT_THAT(files_in(worker.allocations()), Not(Contains("11.13.0.2")));

  std::filesystem::remove(cache);
  EXPECT_NO_THROW(worker.network(GetParam()).attach(c1.attachment()));
}

TEST_P(PodNetworkOf, NamesAFileThatIsWhereItsCacheShouldBe) {
  const TestWorker worker;
  const TestContainer c1("c1");
  write_file_atomically(worker.directory() / "cni", "in the way");
  const auto error = thrown<SystemError>([&] { worker.network(GetParam()).attach(c1.attachment()); });
  EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("move /run/knetsim/w1/cni out of the way"), HasSubstr("remedy")));
  EXPECT_FALSE(link_in(c1.netns(), "eth0"));
}

TEST_P(PodNetworkOf, TellsWhenTheSubnetIsExhaustedAndKeepsNothingOfTheFailedPod) {
  const TestWorker worker("w1",
                          "FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.13.0.1/29\nFLANNEL_MTU=1450\n"
                          "FLANNEL_IPMASQ=false\n");
  auto network = worker.network(GetParam());
  std::vector<std::unique_ptr<TestContainer>> containers;
  for (int i = 1; i <= 6; ++i) containers.push_back(std::make_unique<TestContainer>("c" + std::to_string(i)));
  for (int i = 0; i < 5; ++i) network.attach(containers[static_cast<std::size_t>(i)]->attachment());

  const auto error = thrown<Error>([&] { network.attach(containers.back()->attachment()); });
  EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("no IP addresses available in range set: 11.13.0.1-11.13.0.6"),
                                           HasSubstr("SubnetLen")));
  EXPECT_FALSE(link_in(containers.back()->netns(), "eth0"));
  netlink::Socket socket(worker.netns());
  EXPECT_EQ(netlink::list_links(socket).size(), 7U) << "lo, cni0 and five ports";

  network.detach("c2");
  EXPECT_EQ(network.attach(containers.back()->attachment()).addresses().front(), parse_address("11.13.0.3"));
}

TEST_P(PodNetworkOf, DetachesTwiceAndWhatIsGoneOrNeverWas) {
  const TestWorker worker;
  auto network = worker.network(GetParam());
  network.detach("c9");
  {
    const TestContainer c1("c1");
    network.attach(c1.attachment());
    network.detach("c1");
    EXPECT_FALSE(link_in(c1.netns(), "eth0"));
    EXPECT_THAT(files_in(worker.allocations()), ElementsAre("last_reserved_ip.0", "lock"));
    network.detach("c1");
    network.attach(c1.attachment());
  }
  network.detach("c1");
  EXPECT_THAT(files_in(worker.allocations()), ElementsAre("last_reserved_ip.0", "lock"));
  EXPECT_THAT(files_in(worker.directory() / "cni/cache"), IsEmpty());
}

TEST_P(PodNetworkOf, ChecksWithoutComplaintWhatIsAsItWas) {
  const TestWorker worker("w1", kDualStackLease);
  const TestContainer c1("c1");
  auto network = worker.network(GetParam());
  network.attach(c1.attachment());
  EXPECT_NO_THROW(network.check("c1"));
}

TEST_P(PodNetworkOf, FindsALostAddressLinkRouteOrAllocation) {
  const std::vector<std::vector<std::string>> damages{{"ip", "address", "del", "11.13.0.2/20", "dev", "eth0"},
                                                      {"ip", "link", "del", "eth0"},
                                                      {"ip", "route", "del", "default"},
                                                      {"ip", "route", "del", "11.0.0.0/8"}};
  for (const auto& damage : damages) {
    const TestWorker worker;
    const TestContainer c1("c1");
    auto network = worker.network(GetParam());
    network.attach(c1.attachment());
    ASSERT_TRUE(succeeds(c1.netns(), damage));
    EXPECT_THROW(network.check("c1"), Error) << testing::PrintToString(damage);
    network.detach("c1");
    NetNs::unpin("w1");
  }
  const TestWorker worker;
  const TestContainer c1("c1");
  auto network = worker.network(GetParam());
  network.attach(c1.attachment());
  std::filesystem::remove(worker.allocations() / network.result("c1").addresses().front().to_string());
  EXPECT_THAT(thrown<Error>([&] { network.check("c1"); }).what(), HasSubstr("CHECK container c1"));
}

TEST_P(PodNetworkOf, GivesPodsAttachedAtOnceDifferentAddresses) {
  const TestWorker worker;
  std::vector<std::unique_ptr<TestContainer>> containers;
  for (int i = 0; i < 8; ++i) containers.push_back(std::make_unique<TestContainer>("c" + std::to_string(i)));
  auto network = worker.network(GetParam());
  std::vector<std::string> addresses(containers.size());
  std::vector<std::string> failures(containers.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < containers.size(); ++i)
    threads.emplace_back([&, i] {
      try {
        addresses[i] = network.attach(containers[i]->attachment()).addresses().front().to_string();
      } catch (const std::exception& error) {
        failures[i] = error.what();
      }
    });
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) EXPECT_EQ(failure, "");
  EXPECT_EQ(std::set(addresses.begin(), addresses.end()).size(), containers.size());
  for (std::size_t i = 0; i < containers.size(); ++i) EXPECT_NO_THROW(network.check("c" + std::to_string(i)));
}

TEST_P(PodNetworkOf, RefusesABridgeThatHasAnotherSubnetsAddress) {
  const TestWorker worker;
  const TestContainer c1("c1");
  const TestContainer c2("c2");
  auto network = worker.network(GetParam());
  network.attach(c1.attachment());
  write_file_atomically(worker.subnet_file(),
                        "FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.77.0.1/20\nFLANNEL_MTU=1450\n"
                        "FLANNEL_IPMASQ=false\n");
  const auto error = thrown<Error>([&] { network.attach(c2.attachment()); });
  EXPECT_THAT(error.what(), HasSubstr("\"cni0\" already has an IP address different from 11.77.0.1/20"));
  EXPECT_THAT(files_in(worker.allocations()), Not(Contains(testing::StartsWith("11.77."))));
  EXPECT_FALSE(link_in(c2.netns(), "eth0"));
}

TEST_P(PodNetworkOf, RefusesALinkOfTheBridgesNameThatIsNone) {
  const TestWorker worker;
  const TestContainer c1("c1");
  ASSERT_TRUE(succeeds(worker.netns(), {"ip", "link", "add", "cni0", "type", "veth", "peer", "name", "x"}));
  const auto error = thrown<Error>([&] { worker.network(GetParam()).attach(c1.attachment()); });
  EXPECT_THAT(error.what(), HasSubstr("\"cni0\" already exists but is not a bridge"));
}

TEST_P(PodNetworkOf, NamesANamespaceThatIsNotThere) {
  const TestWorker worker;
  const auto error =
      thrown<Error>([&] { worker.network(GetParam()).attach({.container_id = "c1", .netns = "/run/netns/gone"}); });
  EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("c1"), HasSubstr("/run/netns/gone")));
  EXPECT_THAT(files_in(worker.allocations()), Not(Contains("11.13.0.2")));
}

TEST_P(PodNetworkOf, WorksOnAfterItsHandlesWereMoved) {
  const TestContainer c1("c1");
  std::optional<PodNetwork> network;
  {
    const TestWorker worker;
    auto first = worker.network(GetParam());
    network.emplace(std::move(first));
  }
  EXPECT_EQ(network->attach(c1.attachment()).addresses().size(), 1U);
  auto again = std::move(*network);
  EXPECT_NO_THROW(again.check("c1"));
  again.detach("c1");
  EXPECT_FALSE(link_in(c1.netns(), "eth0"));
}

TEST_P(PodNetworkOf, AnotherInstanceKnowsWhatTheFirstAttached) {
  const TestWorker worker;
  const TestContainer c1("c1");
  const auto result = worker.network(GetParam()).attach(c1.attachment());
  auto later = worker.network(GetParam());
  EXPECT_EQ(later.result("c1"), result);
  later.check("c1");
  later.detach("c1");
  EXPECT_EQ(thrown<Error>([&] { later.result("c1"); }).failure().code, kUnknownContainer);
}

TEST_P(PodNetworkOf, SpeaksEveryVersion) {
  for (const auto& version : supported_versions()) {
    // Debian's plugins are of 1.0.0.
    if (GetParam() == Flavour::real && is_since(version, "1.1.0")) continue;
    const TestWorker worker;
    const TestContainer c1("c1");
    auto options = worker.options(GetParam());
    options.cni_version = version;
    PodNetwork network(worker.netns(), options);
    const auto result = network.attach(c1.attachment());
    EXPECT_EQ(result.cni_version, version);
    EXPECT_EQ(network.result("c1"), result);
    EXPECT_THAT(result.addresses(), ElementsAre(parse_address("11.13.0.2"))) << version;
    EXPECT_EQ(result.ips.at(0).gateway, parse_address("11.13.0.1")) << version;
    EXPECT_EQ(result.interfaces.size(), is_since(version, "0.3.0") ? 3U : 0U) << version;
    if (is_since(version, "0.4.0")) {
      EXPECT_NO_THROW(network.check("c1")) << version;
    } else {
      EXPECT_EQ(thrown<Error>([&] { network.check("c1"); }).failure().code, kIncompatibleVersion) << version;
    }
    network.detach("c1");
    EXPECT_FALSE(link_in(c1.netns(), "eth0")) << version;
    EXPECT_THAT(files_in(worker.allocations()), ElementsAre("last_reserved_ip.0", "lock")) << version;
    EXPECT_THAT(files_in(worker.directory() / "cni/flannel"), IsEmpty()) << version;
    NetNs::unpin("w1");
    std::filesystem::remove_all(worker.directory());
  }
}

TEST_P(PodNetworkOf, IsReadyWithALease) {
  const TestWorker worker;
  auto network = worker.network(GetParam());
  EXPECT_NO_THROW(network.status());
  std::filesystem::remove(worker.subnet_file());
  const auto error = thrown<Error>([&] { network.status(); });
  EXPECT_EQ(error.failure().code, kNotAvailable);
  EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("STATUS"), HasSubstr("subnet.env")));
}

TEST_P(PodNetworkOf, CollectsPodsThatAreNotNamedAndAddressesThatNobodyHolds) {
  const TestWorker worker;
  const TestContainer c1("c1");
  const TestContainer c2("c2");
  auto network = worker.network(GetParam());
  network.attach(c1.attachment());
  network.attach(c2.attachment());
  write_file_atomically(worker.allocations() / "11.13.0.9", "lost\r\neth0");

  network.gc({{.container_id = "c2"}});
  EXPECT_FALSE(link_in(c1.netns(), "eth0"));
  EXPECT_TRUE(link_in(c2.netns(), "eth0"));
  EXPECT_THAT(files_in(worker.allocations()), ElementsAre("11.13.0.3", "last_reserved_ip.0", "lock"));
  EXPECT_THAT(files_in(worker.directory() / "cni/cache"), ElementsAre("cbr0+c2+eth0"));
  EXPECT_NO_THROW(network.check("c2"));
}

TEST(MixedFlavours, ShareOneWorkerItsBridgeAndItsAddresses) {
  const TestWorker worker;
  const TestContainer c1("c1");
  const TestContainer c2("c2");
  const TestContainer c3("c3");
  auto builtin = worker.network(Flavour::builtin);
  auto real = worker.network(Flavour::real);
  EXPECT_EQ(builtin.attach(c1.attachment()).addresses().front(), parse_address("11.13.0.2"));
  EXPECT_EQ(real.attach(c2.attachment()).addresses().front(), parse_address("11.13.0.3"));
  EXPECT_EQ(builtin.attach(c3.attachment()).addresses().front(), parse_address("11.13.0.4"));
  EXPECT_TRUE(succeeds(c1.netns(), {"ping", "-c1", "-W5", "11.13.0.3"}));

  // Whoever is asked, it is undone by the one who did it.
  real.check("c1");
  builtin.check("c2");
  real.detach("c1");
  builtin.detach("c2");
  EXPECT_THAT(files_in(worker.allocations()), ElementsAre("11.13.0.4", "last_reserved_ip.0", "lock"));
}

TEST(PodNetwork, SaysWhoWritesTheMissingSubnetFile) {
  const TestWorker worker;
  std::filesystem::remove(worker.subnet_file());
  const TestContainer c1("c1");
  const auto error = thrown<InputError>([&] { worker.network(Flavour::builtin).attach(c1.attachment()); });
  EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("subnet.env"), HasSubstr("flannel daemon")));
}

TEST(PodNetwork, RefusesIdsThatWouldLeadOutOfItsDirectory) {
  const TestWorker worker;
  auto network = worker.network(Flavour::builtin);
  for (const std::string id : {"", "../x", "a/b", ".hidden"})
    EXPECT_THROW(network.attach({.container_id = id, .netns = "/run/netns/w1"}), InputError) << id;
  for (const std::string name : {"", "eth0/..", "a name", "sixteenchars1234"})
    EXPECT_THROW(network.attach({.container_id = "c1", .netns = "/run/netns/w1", .ifname = name}), InputError) << name;
}

}  // namespace
}  // namespace knetsim::cni
