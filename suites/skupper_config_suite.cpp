// Routers with configs that the emulator doesn't write: TLS between them, an edge router, one id twice.
//
// Topology: two clusters of one worker each (skupper_lab.h), without routers; each test starts its own on C0w1 and
// C1w1. C0's router serves svc1 from c1, C1's listens for it.

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/parts/launcher.h"
#include "knetsim/skupper/site.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"
#include "skupper_lab.h"

namespace knetsim::fixtures {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::json;
using testing::ContainsRegex;

class SkupperConfigs : public SkupperTest {
 protected:
  void SetUp() override {
    auto bare = sites(2);
    for (auto& cluster : bare.clusters) cluster.skupper.reset();
    boot_sites(std::move(bare));
  }

  /// Starts the router of cluster C<index> with these entities, and returns when it listens where it says it will.
  Process& start(std::size_t index, const std::vector<json>& config) {
    const auto& w1 = worker("C" + std::to_string(index) + "w1");
    const auto file = directory_ / (std::to_string(index) + ".json");
    fs::create_directories(directory_);
    write_file_atomically(file, json(config).dump(1));
    const auto launched = routers_.insert_or_assign(
        index, parts::launch({.program = parts::resolve(parts::kSkupper, parts::at(GetParam(), index, 2)),
                              .arguments = {"-c", file.string()},
                              .netns = &w1.netns(),
                              .directory = w1.directory(),
                              .log = log(index)}));
    auto& process = launched.first->second;
    std::set<std::uint16_t> ports;
    for (const auto& entity : config)
      if (entity[0] == "listener") ports.insert(entity[1]["port"].get<std::uint16_t>());
    wait_until_listening(process, w1.netns(), ports, std::chrono::seconds(20));
    return process;
  }

  fs::path log(std::size_t index) const { return directory_ / (std::to_string(index) + ".log"); }

  static json router(const std::string& id, const std::string& mode = "interior") {
    return {"router", {{"id", id}, {"mode", mode}}};
  }
  json served() {
    return {"tcpConnector",
            {{"name", "svc1"}, {"address", "svc1"}, {"host", server().address().to_string()}, {"port", kServed}}};
  }
  static json offered() { return {"tcpListener", {{"name", "svc1"}, {"address", "svc1"}, {"port", kOffered}}}; }
  json connector(const std::string& role, std::uint16_t port) {
    return {"connector",
            {{"name", "up"}, {"role", role}, {"host", worker("C0w1").address().to_string()}, {"port", port}}};
  }

  void expect_service() {
    wait_until_listening(routers_.at(1), worker("C1w1").netns(), {kOffered}, std::chrono::seconds(60));
    const EchoServer echo(server(), kServed);
    EXPECT_EQ(tcp_exchange(client(), entrance(), kOffered), std::nullopt);
  }

  void wait_for_log(std::size_t index, const std::string& pattern) {
    eventually(
        [&]() -> std::optional<std::string> {
          if (testing::Matches(ContainsRegex(pattern))(read_file(log(index)))) return std::nullopt;
          return "\"" + pattern + "\" in the log:\n" + read_file(log(index));
        },
        std::chrono::seconds(60));
  }

 private:
  const fs::path directory_ = fs::path(kStateDirectory) / "skupper";
  std::map<std::size_t, Process> routers_;
};

INSTANTIATE_TEST_SUITE_P(Flavours, SkupperConfigs, kPairFlavours, flavour_name);

/// Certificate authorities, and certificates that they sign; files of PEM.
class Authority {
 public:
  explicit Authority(const std::string& name) : base_(fs::path(kStateDirectory) / name) {
    openssl({"-subj", "/CN=" + name, "-keyout", key(), "-out", certificate()});
  }
  std::string certificate() const { return base_.string() + ".pem"; }

  /// An sslProfile that trusts this authority, with a certificate that `signer` has signed. The address is its common
  /// name: Proton compares a connector's host with that, and not with addresses among the alternative names.
  json profile(const Authority& signer, const std::string& name, const Address& address) const {
    const auto base = fs::path(kStateDirectory) / name;
    signer.openssl({"-CA", signer.certificate(), "-CAkey", signer.key(), "-subj", "/CN=" + address.to_string(),
                    "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", base.string() + ".key", "-out",
                    base.string() + ".pem"});
    return {"sslProfile",
            {{"name", "tls"},
             {"caCertFile", certificate()},
             {"certFile", base.string() + ".pem"},
             {"privateKeyFile", base.string() + ".key"}}};
  }

 private:
  std::string key() const { return base_.string() + ".key"; }
  void openssl(std::vector<std::string> more) const {
    std::vector<std::string> argv{"openssl", "req",   "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                  "-nodes",  "-days", "2"};
    argv.insert(argv.end(), more.begin(), more.end());
    const auto result = exec({.argv = argv});
    ASSERT_TRUE(result.ok()) << result.err;
  }

  fs::path base_;
};

json secure_listener() {
  return {"listener",
          {{"name", "routers"},
           {"role", "inter-router"},
           {"port", skupper::kInterRouterPort},
           {"sslProfile", "tls"},
           {"saslMechanisms", "EXTERNAL"},
           {"authenticatePeer", true},
           {"requireSsl", true}}};
}

json secured(json connector) {
  connector[1]["sslProfile"] = "tls";
  connector[1]["saslMechanisms"] = "EXTERNAL";
  return connector;
}

TEST_P(SkupperConfigs, RoutersThatTrustEachOthersAuthorityTalkThroughTls) {
  const Authority authority("authority");
  const auto& home = worker("C0w1").address();
  start(0, {router("a"), authority.profile(authority, "a", home), secure_listener(), served()});
  start(1, {router("b"), authority.profile(authority, "b", worker("C1w1").address()),
            secured(connector("inter-router", skupper::kInterRouterPort)), offered()});
  expect_service();
}

TEST_P(SkupperConfigs, ARouterWhoseAuthorityNobodyTrustsIsRefused) {
  const Authority authority("authority");
  const Authority stranger("stranger");
  start(0, {router("a"), authority.profile(authority, "a", worker("C0w1").address()), secure_listener(), served()});
  // It trusts the other side, but isn't trusted itself.
  start(1, {router("b"), authority.profile(stranger, "b", worker("C1w1").address()),
            secured(connector("inter-router", skupper::kInterRouterPort)), offered()});
  wait_for_log(0, "certificate verify failed");
  EXPECT_FALSE(listening_tcp_ports(worker("C1w1").netns()).contains(kOffered));
}

TEST_P(SkupperConfigs, ARouterDoesNotTalkToOneOfAnAuthorityItDoesNotTrust) {
  const Authority authority("authority");
  const Authority stranger("stranger");
  start(0, {router("a"), authority.profile(stranger, "a", worker("C0w1").address()), secure_listener(), served()});
  start(1, {router("b"), authority.profile(authority, "b", worker("C1w1").address()),
            secured(connector("inter-router", skupper::kInterRouterPort)), offered()});
  wait_for_log(1, "certificate verify failed");
  EXPECT_FALSE(listening_tcp_ports(worker("C1w1").netns()).contains(kOffered));
}

TEST_P(SkupperConfigs, AnEdgeRouterReachesWhatItsInteriorRouterServes) {
  start(0, {router("a"), {"listener", {{"name", "edges"}, {"role", "edge"}, {"port", skupper::kEdgePort}}}, served()});
  start(1, {router("b", "edge"), connector("edge", skupper::kEdgePort), offered()});
  expect_service();
}

TEST_P(SkupperConfigs, ARouterWithAnIdThatIsTakenIsRefused) {
  const json listener{"listener", {{"name", "routers"}, {"role", "inter-router"}, {"port", skupper::kInterRouterPort}}};
  start(0, {router("a"), listener, served()});
  // skrouterd takes another router of its id for itself if both began in the same second.
  const auto second = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  eventually([&]() -> std::optional<std::string> {
    if (std::chrono::system_clock::now() >= second + std::chrono::seconds(1)) return std::nullopt;
    return "the next second";
  });
  auto& twin = start(1, {router("a"), connector("inter-router", skupper::kInterRouterPort), offered()});
  // Ours refuses the connection; skrouterd, which says so at the first HELLO, hears of that only.
  const std::size_t judge = GetParam() == Flavour::mixed ? 1 : 0;
  wait_for_log(judge, "(own id, a|Duplicate ID - a)");
  EXPECT_TRUE(twin.running());
  EXPECT_FALSE(listening_tcp_ports(worker("C1w1").netns()).contains(kOffered));
}

}  // namespace
}  // namespace knetsim::fixtures
