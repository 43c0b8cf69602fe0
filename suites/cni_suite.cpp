// CNI: containers get link, address and routes from plugins, real or built-in, and leave nothing behind.
//
// Topology: pair.json; the same tests judge Debian's bridge and host-local, ours, and one worker of each.

#include <gmock/gmock.h>

#include <future>
#include <set>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/flavour.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/netlink/link.h"
#include "knetsim/sys/error.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class Cni : public EmulationTest, public testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    if (const auto absent = why_no_cni(GetParam())) GTEST_SKIP() << *absent;
    boot(with_cni(topology("pair.json"), GetParam()));
  }
  Worker& w1() { return worker("w1"); }
  Worker& w2() { return worker("w2"); }

  static Network subnet_of(Worker& worker) {
    return canonical(flannel::read_subnet_env(worker.subnet_file()).subnet.value());
  }
  static std::set<std::string> links_of(const Node& node) {
    auto socket = node.netlink();
    std::set<std::string> names;
    for (const auto& link : netlink::list_links(socket)) names.insert(link.name);
    return names;
  }
};

INSTANTIATE_TEST_SUITE_P(Flavours, Cni, kAllFlavours, flavour_name);

TEST_P(Cni, AContainerHasAnAddressOfItsWorkersLease) {
  for (auto* one : {&w1(), &w2()})
    for (auto* container : one->containers()) {
      EXPECT_TRUE(contains(subnet_of(*one), container->address())) << container->address();
      EXPECT_THAT(*container, HasLink("eth0", AllOf(HasKind("veth"), IsUp(), IsRunning(), HasMtu(1450))));
      EXPECT_THAT(*container, HasAddress("eth0", make_network(container->address(), 20)));
    }
}

TEST_P(Cni, TheBridgeIsTheGateway) {
  const auto gateway = advance(address_of(subnet_of(w1())), 1);
  EXPECT_THAT(w1(), HasLink("cni0", AllOf(HasKind("bridge"), IsUp(), HasMtu(1450))));
  EXPECT_THAT(w1(), HasAddress("cni0", make_network(gateway, 20)));
  const auto& c1 = w1().container("c1");
  EXPECT_THAT(c1, HasRoute(parse_network("0.0.0.0/0"), Via(gateway)));
  EXPECT_THAT(c1, HasRoute(parse_network("11.0.0.0/8"), Via(gateway)));
  EXPECT_THAT(c1, CanPing(gateway));
}

TEST_P(Cni, ContainersOfOneWorkerReachEachOther) {
  const auto& c2 = w2().container("c2");
  const auto& c3 = w2().container("c3");
  EXPECT_THAT(c2, CanPing(c3));
  const EchoServer server(c3);
  EXPECT_EQ(tcp_exchange(c2, c3.address(), server.port()), std::nullopt);
  EXPECT_EQ(udp_exchange(c2, c3.address(), server.port()), std::nullopt);
}

TEST_P(Cni, ContainersReachTheirWorkerAndItReachesThem) {
  EXPECT_THAT(w1().container("c1"), CanPing(w1().address()));
  EXPECT_THAT(w1(), CanPing(w1().container("c1")));
}

TEST_P(Cni, WorkersReachContainersOfOtherWorkers) { EXPECT_THAT(w1(), CanPing(w2().container("c2"))); }

TEST_P(Cni, TrafficBetweenWorkersKeepsTheContainersAddress) {
  const auto& c1 = w1().container("c1");
  const auto& c2 = w2().container("c2");
  const EchoServer server(c2);
  EXPECT_EQ(tcp_exchange(c1, c2.address(), server.port(), 1), std::nullopt);
  EXPECT_EQ(udp_exchange(c1, c2.address(), server.port()), std::nullopt);
  EXPECT_THAT(server.clients(), ElementsAre(c1.address(), c1.address()));
}

TEST_P(Cni, ADeletedContainerLeavesNothingBehind) {
  const auto before = links_of(w1());
  const auto address = w1().create_container("gone").address();
  w1().delete_container("gone");
  EXPECT_EQ(links_of(w1()), before);
  EXPECT_FALSE(std::filesystem::exists("/run/netns/k0_gone"));
  EXPECT_THAT(w1(), CannotPing(address));
}

TEST_P(Cni, ANameThatIsTakenIsRefusedAndTheFirstIsUnharmed) {
  EXPECT_THROW(cluster("C0").create_container("w1", "c1"), InputError);
  EXPECT_THROW(w1().create_container("c1"), InputError);
  EXPECT_THAT(w1().container("c1"), CanPing(w2().container("c2")));
}

TEST_P(Cni, DeletingWhatIsNotThereSaysWhatIs) {
  try {
    w2().delete_container("c9");
    FAIL() << "c9 was deleted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("c9"), HasSubstr("c2, c3")));
  }
}

TEST_P(Cni, ADeletedNameCanBeUsedAgain) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_THAT(w1().create_container("again"), CanPing(w2().container("c2")));
    w1().delete_container("again");
  }
}

TEST_P(Cni, ContainersCreatedTogetherGetDifferentAddresses) {
  // One thread for each worker: a worker's containers are created one after the other.
  const auto create = [](Worker& worker, const std::string& prefix) {
    std::set<std::string> addresses;
    for (int i = 0; i < 10; ++i)
      addresses.insert(worker.create_container(prefix + std::to_string(i)).address().to_string());
    return addresses;
  };
  auto others = std::async(std::launch::async, [&] { return create(w2(), "b"); });
  auto all = create(w1(), "a");
  all.merge(others.get());
  EXPECT_THAT(all, SizeIs(20));
  EXPECT_THAT(w1().container("a9"), CanPing(w2().container("b9")));
}

TEST_P(Cni, ContainersAreCreatedAlsoWhereVipRulesStand) {
  ASSERT_THAT(w1().exec({"nft", "list", "ruleset"}).out, HasSubstr("100.64.10.1"));
  const auto& late = cluster("C0").create_container("w1", "late");
  EXPECT_THAT(late, CanPing(w2().container("c2")));
  EXPECT_THAT(w1().exec({"iptables", "-t", "nat", "-A", "POSTROUTING", "-j", "ACCEPT"}), Succeeds())
      << "our rules must not stand in the way of iptables";
  EXPECT_THAT(cluster("C0").create_container("w1", "later"), CanPing(w2().container("c2")));
}

/// CHECK. Debian's bridge 1.1.1 can't find a route without gateway that it has itself added, so it is asked of ours
/// only.
class BuiltinCni : public EmulationTest {
 protected:
  void SetUp() override { boot(with_cni(topology("pair.json"), Flavour::builtin)); }
};

TEST_F(BuiltinCni, CheckFindsAContainerAsItWasMadeAndComplainsAfterDamage) {
  EXPECT_NO_THROW(worker("w1").pods().check("k0_c1"));
  ASSERT_THAT(worker("w1").container("c1").exec({"ip", "address", "flush", "dev", "eth0"}), Succeeds());
  EXPECT_THROW(worker("w1").pods().check("k0_c1"), Error);
}

/// A worker whose pods' addresses come from the topology, without etcd and flannel.
class CniAlone : public EmulationTest, public testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    if (const auto absent = why_no_cni(GetParam())) GTEST_SKIP() << *absent;
    boot(with_cni(topology("single.json"), GetParam()));
  }
};

INSTANTIATE_TEST_SUITE_P(Flavours, CniAlone, testing::Values(Flavour::builtin, Flavour::real), flavour_name);

TEST_P(CniAlone, NeedsNothingButASubnet) {
  const auto& c1 = worker("w1").container("c1");
  EXPECT_EQ(c1.address(), parse_address("11.13.0.2"));
  EXPECT_THAT(c1, CanPing(parse_address("11.13.0.1")));
  EXPECT_THAT(worker("w1").create_container("c2"), CanPing(c1));
}

}  // namespace
}  // namespace knetsim::fixtures
