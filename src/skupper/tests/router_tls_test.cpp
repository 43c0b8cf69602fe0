// TLS between routers.

#include <gmock/gmock.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"
#include "tests/router_test.h"
#include "tests/tcp.h"

namespace knetsim::skupper {
namespace {

class TlsTest : public RouterTest {
 protected:
  /// <name>-ca.pem, and <name>.pem with <name>.key, signed by it, for 127.0.0.1.
  static void make_certificates(const std::string& name) {
    const auto openssl = [](std::vector<std::string> arguments) {
      arguments.insert(arguments.begin(), "openssl");
      const auto result = exec({.argv = arguments, .directory = kStateDirectory});
      if (!result.ok()) throw Error("openssl: " + result.err);
    };
    openssl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + name + " CA", "-keyout",
             name + "-ca.key", "-out", name + "-ca.pem"});
    openssl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout",
             name + ".key", "-out", name + ".pem", "-CA", name + "-ca.pem", "-CAkey", name + "-ca.key"});
  }
  static Json profile(const std::string& ca, const std::string& own) {
    const std::string state = std::string(kStateDirectory) + "/";
    return Json::array({"sslProfile",
                        {{"name", "tls"},
                         {"caCertFile", state + ca + "-ca.pem"},
                         {"certFile", state + own + ".pem"},
                         {"privateKeyFile", state + own + ".key"}}});
  }
  static Json secure_listener() {
    return listener(
        55671,
        {{"sslProfile", "tls"}, {"authenticatePeer", true}, {"requireSsl", true}, {"saslMechanisms", "EXTERNAL"}});
  }
  static Json secure_connector() { return connector(55671, {{"sslProfile", "tls"}}); }
};

TEST_F(TlsTest, RoutersThatKnowEachOtherCarryBytes) {
  make_certificates("good");
  const TcpService echo(8080, TcpService::echo());
  start("c0", {secure_listener(), service("svc", 8080), profile("good", "good")});
  start("c1", {secure_connector(), entrance("svc", 1028), profile("good", "good")});
  wait_for_port(1028);
  const auto bytes = pattern(200'000);
  for (int i = 0; i < 10; ++i) {
    auto client = TcpPeer::connect(1028);
    client.send(bytes);
    EXPECT_TRUE(client.receive(bytes.size()) == bytes);
  }
  EXPECT_LT(memory_kib(routers_.at(0)), 40'000U);
}

TEST_F(TlsTest, ClientOfAnotherAuthorityIsRefused) {
  make_certificates("good");
  make_certificates("evil");
  auto& c0 = start("c0", {secure_listener(), service("svc", 8080), profile("good", "good")});
  start("c1", {secure_connector(), entrance("svc", 1028), profile("good", "evil")});
  wait_for_log(c0, "amqp:connection:framing-error: SSL Failure");
}

TEST_F(TlsTest, ServerOfAnotherAuthorityIsRefused) {
  make_certificates("good");
  make_certificates("evil");
  start("c0", {secure_listener(), service("svc", 8080), profile("evil", "evil")});
  auto& c1 = start("c1", {secure_connector(), entrance("svc", 1028), profile("good", "evil")});
  wait_for_log(c1, "certificate verify failed");
}

TEST_F(TlsTest, WhoeverSpeaksPlainIsRefused) {
  make_certificates("good");
  auto& c0 = start("c0", {secure_listener(), profile("good", "good")});
  start("c1", {connector(55671)});
  wait_for_log(c0, "Connection Closed");
  EXPECT_EQ(log_of(c0).find("Connection Opened"), std::string::npos);
}

TEST_F(TlsTest, FilesThatAreNoCertificatesAreRefusedAtStart) {
  auto& c0 = start("c0", {secure_listener(), profile("none", "none")});
  EXPECT_EQ(c0.wait(std::chrono::seconds(10)).code(), 1);
  EXPECT_THAT(log_of(c0), testing::HasSubstr("sslProfile \"tls\""));
}

}  // namespace
}  // namespace knetsim::skupper
