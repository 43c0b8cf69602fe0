// whoamid on a pod network: whom does it see?
//
// Topology: knetsim's pair.json. One etcd node; workers w1 and w2 with flannel (VXLAN); container c1 on w1, c2 and c3
// on w2; service address 100.64.10.1 in front of c2 and c3. Each test has its own; the daemon runs in c2.

#include <gmock/gmock.h>
#include <knetsim/fixtures/emulation_test.h>
#include <knetsim/fixtures/matchers.h>
#include <knetsim/fixtures/topologies.h>
#include <knetsim/sys/eventually.h>

#include <optional>
#include <string>

namespace {

using knetsim::ExecResult;
using knetsim::Node;
using testing::AllOf;
using testing::Not;

class Whoami : public knetsim::fixtures::EmulationTest {
 protected:
  void SetUp() override {
    // A topology file of your own: boot(knetsim::Topology::from_file("mine.json")).
    boot(knetsim::fixtures::topology("pair.json"));
    daemon_.emplace(c2().spawn({WHOAMID, "7000"}, "whoamid.log"));
    knetsim::eventually([&]() -> std::optional<std::string> {
      if (ask(c2(), "127.0.0.1").ok()) return std::nullopt;
      return "an answer of whoamid; its log:\n" + daemon_->log_tail();
    });
  }

  void TearDown() override {
    if (daemon_) EXPECT_TRUE(daemon_->running()) << daemon_->log_tail();
    EmulationTest::TearDown();
  }

  static ExecResult ask(const Node& from, const std::string& address) {
    return from.exec({"bash", "-c", "cat </dev/tcp/$0/7000", address});
  }
  static ExecResult ask_over_udp(const Node& from, const std::string& address) {
    return from.exec({"bash", "-c", "exec 3<>/dev/udp/$0/7000; echo >&3; head -n1 <&3", address});
  }
  static std::string seen_as(const Node& node) { return node.address().to_string() + "\n"; }

  Node& c1() { return worker("w1").container("c1"); }
  Node& c2() { return worker("w2").container("c2"); }
  Node& c3() { return worker("w2").container("c3"); }

 private:
  std::optional<knetsim::Process> daemon_;
};

using knetsim::fixtures::Prints;
using knetsim::fixtures::Succeeds;

TEST_F(Whoami, SeesAPodOfAnotherWorkerByItsOwnAddress) {
  EXPECT_THAT(ask(c1(), c2().address().to_string()), AllOf(Succeeds(), Prints(seen_as(c1()))));
}

TEST_F(Whoami, SeesAPodOfTheSameWorkerByItsOwnAddress) {
  EXPECT_THAT(ask(c3(), c2().address().to_string()), AllOf(Succeeds(), Prints(seen_as(c3()))));
}

TEST_F(Whoami, AnswersOverUdp) {
  EXPECT_THAT(ask_over_udp(c1(), c2().address().to_string()), AllOf(Succeeds(), Prints(seen_as(c1()))));
}

TEST_F(Whoami, IsReachedByTheFirstOfTwoConnectionsToTheService) {
  EXPECT_THAT(ask(c1(), "100.64.10.1"), AllOf(Succeeds(), Prints(seen_as(c1()))));
  EXPECT_THAT(ask(c1(), "100.64.10.1"), Not(Succeeds())) << "that one goes to c3, where nothing listens";
}

TEST_F(Whoami, AnswersAgainWhenTheCableIsBack) {
  const auto address = c2().address().to_string();
  emulation().underlay().cut("w2");
  EXPECT_THAT(c1(), knetsim::fixtures::CannotPing(c2()));
  emulation().underlay().heal("w2");
  EXPECT_THAT(c1(), knetsim::fixtures::CanPing(c2()));
  EXPECT_THAT(ask(c1(), address), Succeeds());
}

}  // namespace
