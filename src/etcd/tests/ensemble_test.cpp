// Real etcd processes in namespaces of their own.
#include "knetsim/etcd/ensemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "cluster_test.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::etcd {
namespace {

using test::kPatience;
using test::Lab;
using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;
using testing::ThrowsMessage;
using namespace std::chrono_literals;

class EtcdEnsemble : public test::ClusterTest {};

class EtcdEnsembleOf : public test::ClusterTest, public testing::WithParamInterface<std::size_t> {};

TEST_P(EtcdEnsembleOf, MembersIsHealthyOnceStartedAndEachMemberAnswersForAll) {
  boot(GetParam());
  EXPECT_THAT(client().members(), SizeIs(GetParam()));
  for (std::size_t i = 0; i < GetParam(); ++i) {
    EXPECT_EQ(member(i).ailment(), std::nullopt);
    client({i}).put("/from/" + std::to_string(i), "x");
  }
  for (std::size_t i = 0; i < GetParam(); ++i) EXPECT_THAT(client({i}).list("/from/").kvs, SizeIs(GetParam()));
  const std::uint64_t leader = client({0}).status().leader;
  for (std::size_t i = 0; i < GetParam(); ++i) EXPECT_EQ(client({i}).status().leader, leader);
}

TEST_P(EtcdEnsembleOf, MembersElectTheirFirstLeaderWithoutWaitingForTheElectionTimeout) {
  Lab lab(GetParam());
  Ensemble::Options options;
  options.timing.heartbeat = 500ms;
  options.timing.election = 50s;  // the longest that etcd allows
  options.budget = 25s;
  EXPECT_NO_THROW(Ensemble::start(lab.specs(), options));
}

INSTANTIATE_TEST_SUITE_P(Of, EtcdEnsembleOf, testing::Values(1, 2, 3, 5), testing::PrintToStringParamName());

class EtcdUnderLoad : public EtcdEnsemble {
 protected:
  /// What it has received of the other members, as its metrics tell.
  std::string bytes_from_peers(std::size_t index) {
    const ExecResult metrics = exec({.argv = {"wget", "-q", "-O", "-", member(index).endpoint() + "/metrics"},
                                     .netns = member(index).spec().netns});
    std::string lines;
    std::istringstream text(metrics.out);
    for (std::string line; std::getline(text, line);)
      if (line.starts_with("etcd_network_peer_received_bytes_total")) lines += line + "\n";
    EXPECT_FALSE(lines.empty()) << metrics.out << metrics.err;
    return lines;
  }
};

TEST_F(EtcdUnderLoad, KeepsItsLeaderWhileAllCoresAreBusy) {
  boot(3);
  const std::uint64_t term = client().status().raft_term;
  std::vector<Process> load;
  Command busy;
  busy.argv = {"sha256sum", "/dev/zero"};
  const std::filesystem::path log = std::filesystem::path(kStateDirectory) / "load.log";
  for (int i = 0; i < 4; ++i) load.push_back(Process::spawn(busy, log));
  SyncClient etcd = client();
  for (int i = 0; i < 100; ++i) etcd.put("/load", std::to_string(i));
  // Now there is nothing but heartbeats between the members.
  const std::size_t follower = (leader() + 1) % 3;
  for (int heartbeats = 0; heartbeats < 10; ++heartbeats) {
    const auto before = bytes_from_peers(follower);
    eventually(
        [&]() -> std::optional<std::string> {
          return bytes_from_peers(follower) != before ? std::nullopt : std::optional<std::string>("a heartbeat");
        },
        kPatience);
  }
  for (Process& one : load) EXPECT_TRUE(one.running());
  EXPECT_EQ(client().status().raft_term, term);
}

TEST_F(EtcdEnsemble, SurvivesTheLossOfItsLeader) {
  boot(3);
  client().put("/k", "v");
  const std::size_t led = leader();
  member(led).kill();
  SyncClient etcd = client({(led + 1) % 3, (led + 2) % 3});
  eventually(
      [&]() -> std::optional<std::string> {
        try {
          return etcd.get("/k") ? std::nullopt : std::optional<std::string>("the key");
        } catch (const Unavailable& unavailable) {
          return unavailable.what();
        }
      },
      kPatience);
  member(led).restart();
  ensemble().wait_until_healthy(kPatience);
  EXPECT_EQ(client({led}).get("/k")->value, "v");
}

TEST_F(EtcdEnsemble, AMemberComesBackWithItsData) {
  boot(2);
  client().put("/k", "v");
  client().put_v2("/k2", "v2");
  for (const bool orderly : {true, false}) {
    for (Member& each : ensemble().members()) orderly ? each.stop() : each.kill();
    for (Member& each : ensemble().members()) each.restart();
    ensemble().wait_until_healthy(kPatience);
    EXPECT_EQ(client().get("/k")->value, "v");
    EXPECT_EQ(client().get_v2("/k2"), "v2");
  }
}

TEST_F(EtcdEnsemble, ANewOneOnTheSameDirectoriesTakesUpTheirData) {
  Lab lab(2);
  {
    Ensemble first = Ensemble::start(lab.specs());
    first.client().put("/k", "v");
    for (Member& member : first.members()) member.stop();
  }
  EXPECT_EQ(Ensemble::start(lab.specs()).client().get("/k")->value, "v");
}

TEST_F(EtcdEnsemble, TellsAnUnexpectedEndFromOneThatWasAskedFor) {
  boot(1);
  EXPECT_EQ(member(0).unexpected_end(), std::nullopt);
  member(0).process().signal(SIGKILL);
  member(0).process().wait(kPatience);
  EXPECT_THAT(member(0).unexpected_end().value_or(""), HasSubstr("killed by SIGKILL"));
  EXPECT_THAT(member(0).ailment().value_or(""), HasSubstr("killed by SIGKILL"));
  member(0).restart();
  EXPECT_EQ(member(0).unexpected_end(), std::nullopt);
  member(0).stop();
  EXPECT_EQ(member(0).unexpected_end(), std::nullopt);
}

TEST_F(EtcdEnsemble, AMemberThatDiesWhileBootingIsNamedWithItsLastLogLines) {
  Lab lab(2);
  auto specs = lab.specs();
  specs[1].address = parse_address("10.0.0.77");  // not the node's own
  EXPECT_THAT([&] { Ensemble::start(specs); },
              ThrowsMessage<knetsim::Error>(
                  AllOf(HasSubstr("etcd member m2 (10.0.0.77): can't become healthy: etcd has ended (exit code 1)"),
                        HasSubstr("m2.log"), HasSubstr("cannot assign requested address"))));
}

TEST_F(EtcdEnsemble, NotHealthyInTimeSaysWhichMemberAndWhy) {
  Lab lab(2);
  lab.plug(1, false);
  Ensemble::Options options;
  options.budget = 1s;
  EXPECT_THAT([&] { Ensemble::start(lab.specs(), options); },
              ThrowsMessage<knetsim::Error>(AllOf(HasSubstr("etcd: can't get healthy within "),
                                                  HasSubstr("etcd member m1 (10.0.0.1): etcd: can't call "),
                                                  HasSubstr("m1.log"))));
}

/// Answers on its peer port, and takes connections of clients without ever answering one.
constexpr const char* kMuteEtcd = R"(#!/usr/bin/env python3
import http.server, socket, socketserver, sys
flags = dict(argument.split("=", 1) for argument in sys.argv[1:])
host = flags["--listen-peer-urls"].split("/")[2].rsplit(":", 1)[0]
mute = socket.create_server((host, 2379), backlog=1000)
class Peer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")
socketserver.TCPServer((host, 2380), Peer).serve_forever()
)";

TEST_F(EtcdEnsemble, IsGivenUpWhenTheBudgetEndsHoweverLongAMemberKeepsSilent) {
  Lab lab(1);
  write_file_atomically(std::filesystem::path(kStateDirectory) / "etcd", kMuteEtcd, 0755);
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", (kStateDirectory + (":" + path)).c_str(), 1);
  Ensemble::Options options;
  options.budget = 5s;
  std::string refusal;
  try {
    Ensemble::start(lab.specs(), options);
  } catch (const knetsim::Error& error) {
    refusal = error.what();
  }
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_THAT(refusal,
              AllOf(testing::StartsWith("etcd: can't get healthy within "), HasSubstr("its peer port answers")));
  // Doubled without bound, a question of 4 s would begin when 4 s are over.
  EXPECT_LT(std::stoi(refusal.substr(refusal.find("within ") + 7)), 7'000) << refusal;
}

TEST_F(EtcdEnsemble, EveryMemberThatIsntHealthyIsNamed) {
  boot(2);
  lab().plug(1, false);
  EXPECT_THAT([&] { ensemble().wait_until_healthy(1s); },
              ThrowsMessage<knetsim::Error>(AllOf(HasSubstr("etcd member m1 (10.0.0.1): "), HasSubstr("m1.log"),
                                                  HasSubstr("etcd member m2 (10.0.0.2): "), HasSubstr("m2.log"))));
  lab().plug(1, true);
  ensemble().wait_until_healthy(kPatience);
}

TEST_F(EtcdEnsemble, NamesThePlaceOfAnEtcdThatThePathDoesNotLeadTo) {
  Lab lab(1);
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  EXPECT_THAT([&] { Ensemble::start(lab.specs()); },
              ThrowsMessage<InputError>(HasSubstr("it is /usr/bin/etcd: add /usr/bin to PATH")));
  EXPECT_THAT([] { install_etcdctl(kStateDirectory); },
              ThrowsMessage<InputError>(HasSubstr("it is /usr/bin/etcdctl: add /usr/bin to PATH")));
  ::setenv("PATH", path.c_str(), 1);
}

TEST_F(EtcdEnsemble, RefusesClustersThatCantBe) {
  Lab lab(2);
  const auto refusal = [](std::vector<MemberSpec> specs) {
    try {
      Ensemble::start(std::move(specs));
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(refusal({}), HasSubstr("no members"));
  auto specs = lab.specs();
  specs[1].name = "m1";
  EXPECT_THAT(refusal(specs), HasSubstr("two members are called \"m1\""));
  specs = lab.specs();
  specs[1].address = specs[0].address;
  EXPECT_THAT(refusal(specs), HasSubstr("two members have the address 10.0.0.1"));
  specs = lab.specs();
  specs[0].name = "a=b";
  EXPECT_THAT(refusal(specs), HasSubstr("\"a=b\""));
}

TEST_F(EtcdEnsemble, IsDeafToTheCallersEtcdAndProxyVariables) {
  ::setenv("ETCD_DISCOVERY", "http://10.9.9.9/nowhere", 1);
  ::setenv("HTTP_PROXY", "http://10.9.9.9:1", 1);
  boot(2);
  ::unsetenv("ETCD_DISCOVERY");
  ::unsetenv("HTTP_PROXY");
  EXPECT_EQ(member(1).ailment(), std::nullopt);
}

TEST_F(EtcdEnsemble, ItsDataTakeLittleMemory) {
  boot(1);
  struct stat status {};
  std::uintmax_t blocks = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(member(0).spec().directory)) {
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    blocks += static_cast<std::uintmax_t>(status.st_blocks);
  }
  EXPECT_LT(blocks * 512, 4U << 20);
}

class Etcdctl : public test::ClusterTest {
 protected:
  ExecResult etcdctl(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) {
    Command command;
    command.argv = {"/tmp/knetsim/etcdctl"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.netns = &lab().node(0);
    command.environment = std::move(environment);
    return exec(command);
  }
};

TEST_F(Etcdctl, ClusterHealthPrintsOneLineForEachMemberAndTheVerdict) {
  boot(2);
  install_etcdctl(kStateDirectory);
  const ExecResult result = etcdctl({"cluster-health"});
  EXPECT_TRUE(result.ok()) << result.err;
  EXPECT_THAT(result.out, MatchesRegex("member [0-9a-f]+ is healthy: got healthy result from http://10.0.0.[12]:2379\n"
                                       "member [0-9a-f]+ is healthy: got healthy result from http://10.0.0.[12]:2379\n"
                                       "cluster is healthy\n"));
  EXPECT_THAT(result.out, AllOf(HasSubstr("http://10.0.0.1:2379"), HasSubstr("http://10.0.0.2:2379")));
}

TEST_F(Etcdctl, ClusterHealthTellsOfAMemberThatIsGone) {
  boot(3);
  install_etcdctl(kStateDirectory);
  member(2).kill();
  const ExecResult result = etcdctl({"cluster-health"});
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(result.out, HasSubstr("is unreachable: [http://10.0.0.3:2379] are all unreachable"));
}

TEST_F(Etcdctl, SpeaksV2UnlessTheUserWantsV3) {
  boot(1);
  install_etcdctl(kStateDirectory);
  EXPECT_TRUE(etcdctl({"set", "/two", "v2's"}).ok());
  EXPECT_EQ(client().get_v2("/two"), "v2's");
  EXPECT_TRUE(etcdctl({"put", "/three", "v3's"}, {{"ETCDCTL_API", "3"}}).ok());
  EXPECT_EQ(client().get("/three")->value, "v3's");
  EXPECT_TRUE(etcdctl({"endpoint", "health"}, {{"ETCDCTL_API", "3"}}).ok());
}

TEST_F(Etcdctl, IsInstalledTwiceWithoutHarm) {
  boot(1);
  install_etcdctl(kStateDirectory);
  install_etcdctl(kStateDirectory);
  EXPECT_TRUE(etcdctl({"ls"}).ok());
}

}  // namespace
}  // namespace knetsim::etcd
