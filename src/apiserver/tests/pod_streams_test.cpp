// exec, attach and log of pods: what the kubelet is asked, and that its answer comes through.
#include "pod_streams.h"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>
#include <future>

#include "knetsim/apiserver/pki.h"
#include "knetsim/kube/status.h"
#include "knetsim/sys/sandbox.h"
#include "lab.h"
#include "relay.h"

namespace knetsim::apiserver::test {
namespace {

namespace ssl = boost::asio::ssl;
using nlohmann::json;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const json kOneContainer{{"spec", {{"nodeName", "w1"}, {"containers", {{{"name", "web"}}}}}}};
const json kTwoContainers{
    {"spec",
     {{"nodeName", "w1"}, {"containers", {{{"name", "a"}}, {{"name", "b"}}}}, {"initContainers", {{{"name", "i"}}}}}}};
const json kNowhere{{"spec", {{"containers", {{{"name", "web"}}}}}}};

struct Asked {
  const char* subresource;
  const json& pod;
  const char* query;
  const char* expected;  ///< the kubelet's target, or how the refusal begins
};

TEST(KubeletCall, IsWhatTheClientAskedInTheKubeletsWords) {
  const std::vector<Asked> table{
      {"exec", kOneContainer, "command=sh&command=-c&command=a%26b+c&stdin=true&stdout=true&tty=true",
       "/exec/shop/web/web?command=sh&command=-c&command=a%26b%20c&input=1&output=1&tty=1"},
      {"exec", kOneContainer, "command=ls&container=web&stderr=1", "/exec/shop/web/web?command=ls&error=1"},
      {"exec", kOneContainer, "command=ls&container=x&stdout=true", "container x is not valid for pod web"},
      {"exec", kOneContainer, "command=ls", "you must specify at least 1 of stdin, stdout, stderr"},
      {"exec", kOneContainer, "stdout=true", "you must specify at least 1 command"},
      {"exec", kTwoContainers, "command=ls&stdout=true",
       "a container name must be specified for pod web, choose one of: [a b] or one of the init containers: [i]"},
      {"exec", kNowhere, "command=ls&stdout=true", "pod web does not have a host assigned"},
      {"attach", kTwoContainers, "container=b&stdout=true", "/attach/shop/web/b?output=1"},
      {"log", kTwoContainers, "container=i&follow=true&tailLines=5&pretty=true",
       "/containerLogs/shop/web/i?follow=true&tailLines=5"},
      {"log", kNowhere, "", ""}};
  for (const auto& [subresource, pod, query, expected] : table) {
    const Target target{.kind = kube::find("", "v1", "pods"), .ns = "shop", .name = "web", .subresource = subresource};
    std::string answer;
    try {
      if (const auto call = kubelet_call(pod, target, Query(query))) answer = call->target;
    } catch (const kube::ApiError& error) {
      EXPECT_EQ(error.code(), 400);
      answer = error.what();
    }
    EXPECT_THAT(answer, StartsWith(expected)) << query;
    EXPECT_EQ(answer.empty(), std::string_view(expected).empty()) << query;
  }
}

TEST(KubeletEndpointOfANode, IsItsInternalAddressAndItsKubeletsPort) {
  json node{
      {"status",
       {{"addresses", {{{"type", "Hostname"}, {"address", "w1"}}, {{"type", "InternalIP"}, {"address", "10.0.0.3"}}}},
        {"daemonEndpoints", {{"kubeletEndpoint", {{"Port", 10251}}}}}}}};
  EXPECT_EQ(kubelet_endpoint(node), boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address("10.0.0.3"), 10251));
  node["status"].erase("daemonEndpoints");
  EXPECT_EQ(kubelet_endpoint(node).port(), 10250);
  node["status"]["addresses"][1]["address"] = "fd00::3";
  EXPECT_TRUE(kubelet_endpoint(node).address().is_v6());
  node["status"].erase("addresses");
  EXPECT_THROW(kubelet_endpoint(node), kube::ApiError);
}

ssl::context kubelet_context(const Authority& authority) {
  ssl::context context(ssl::context::tls);
  const auto own = authority.for_server({.user = "system:node:w1"}, {}, {boost::asio::ip::make_address("127.0.0.1")});
  context.use_certificate_chain(boost::asio::buffer(own.certificate));
  context.use_private_key(boost::asio::buffer(own.key), ssl::context::pem);
  context.add_certificate_authority(boost::asio::buffer(authority.certificate()));
  context.set_verify_mode(ssl::verify_peer);
  return context;
}

/// Answers one request with these bytes, and tells what it was asked, and by whom.
class Kubelet {
 public:
  explicit Kubelet(std::string answer, const Authority& authority = Authority("anybody"))
      : answer_(std::move(answer)), tls_(kubelet_context(authority)) {
    asked_ = std::async(std::launch::async, [this]() -> std::string {
      ssl::stream<boost::asio::ip::tcp::socket> socket(context_, tls_);
      acceptor_.accept(socket.next_layer());
      std::string text;
      boost::system::error_code gone;
      socket.handshake(ssl::stream_base::server, gone);
      if (gone) return "no handshake: " + gone.message();
      if (auto* const shown = SSL_get0_peer_certificate(socket.native_handle())) {
        std::array<char, 256> name{};
        X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name.data(), name.size());
        client_ = name.data();
      }
      boost::asio::read_until(socket, boost::asio::dynamic_buffer(text), "\r\n\r\n", gone);
      boost::asio::write(socket, boost::asio::buffer(answer_), gone);
      return text;
    });
  }
  unsigned short port() const { return acceptor_.local_endpoint().port(); }
  std::string asked() { return asked_.get(); }
  /// Once it was asked.
  const std::string& client() const { return client_; }

 private:
  std::string answer_;
  std::string client_;
  ssl::context tls_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_{context_, {boost::asio::ip::address_v4::loopback(), 0}};
  std::future<std::string> asked_;
};

class PodStreamsOverHttp : public ApiTest {
 protected:
  void SetUp() override { start(); }
  void start(const std::vector<std::string>& flags = {}) {
    ApiTest::SetUp();
    serve(flags);
    make_namespace("shop");
    EXPECT_EQ(client().post("/api/v1/nodes", {{"metadata", {{"name", "w1"}}}}).status, 201);
    EXPECT_EQ(client()
                  .post("/api/v1/namespaces/shop/pods",
                        {{"metadata", {{"name", "web"}}},
                         {"spec", {{"nodeName", "w1"}, {"containers", {{{"name", "web"}, {"image", "x"}}}}}}})
                  .status,
              201);
  }
  void point_at(unsigned short port) {
    EXPECT_EQ(
        client()
            .merge("/api/v1/nodes/w1/status", {{"status",
                                                {{"addresses", {{{"type", "InternalIP"}, {"address", "127.0.0.1"}}}},
                                                 {"daemonEndpoints", {{"kubeletEndpoint", {{"Port", port}}}}}}}})
            .status,
        200);
  }
  static constexpr const char* kExec = "/api/v1/namespaces/shop/pods/web/exec?command=ls&stdout=true";
  static std::string upgrade(const std::string& target) {
    return "GET " + target +
           " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n";
  }
};

TEST_F(PodStreamsOverHttp, AreRelayedByteByByte) {
  Kubelet kubelet("HTTP/1.1 101 Whatever\r\nX: y\r\n\r\n\x82\x01z");
  point_at(kubelet.port());
  EXPECT_EQ(exchange_raw(upgrade(kExec)), "HTTP/1.1 101 Whatever\r\nX: y\r\n\r\n\x82\x01z");
  EXPECT_THAT(kubelet.asked(),
              AllOf(StartsWith("GET /exec/shop/web/web?command=ls&output=1 HTTP/1.1\r\n"),
                    HasSubstr("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"),
                    HasSubstr("Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n"), HasSubstr("Upgrade: websocket\r\n")));

  Kubelet logs("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlog");
  point_at(logs.port());
  EXPECT_THAT(exchange_raw("GET /api/v1/namespaces/shop/pods/web/log?tailLines=3 HTTP/1.1\r\nHost: a\r\n\r\n"),
              EndsWith("\r\n\r\nlog"));
  EXPECT_THAT(logs.asked(), AllOf(StartsWith("GET /containerLogs/shop/web/web?tailLines=3 HTTP/1.1\r\n"),
                                  HasSubstr("Connection: close\r\n"), Not(HasSubstr("Upgrade"))));
}

TEST_F(PodStreamsOverHttp, AreRelayedInSpdyToo) {
  Kubelet kubelet("HTTP/1.1 101 Whatever\r\n\r\n\x80\x03");
  point_at(kubelet.port());
  EXPECT_EQ(exchange_raw("POST " + std::string(kExec) +
                         " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                         "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
                         "X-Stream-Protocol-Version: channel.k8s.io\r\n\r\n"),
            "HTTP/1.1 101 Whatever\r\n\r\n\x80\x03");
  EXPECT_THAT(kubelet.asked(),
              AllOf(StartsWith("GET /exec/shop/web/web?command=ls&output=1 HTTP/1.1\r\n"),
                    HasSubstr("Upgrade: SPDY/3.1\r\n"), HasSubstr("X-Stream-Protocol-Version: v4.channel.k8s.io\r\n"),
                    HasSubstr("X-Stream-Protocol-Version: channel.k8s.io\r\n")));
}

TEST_F(PodStreamsOverHttp, BringWhatTheClientHasSentAlready) {
  Kubelet kubelet("HTTP/1.1 101 Whatever\r\n\r\n");
  point_at(kubelet.port());
  exchange_raw(upgrade(kExec) + "at once");
  EXPECT_THAT(kubelet.asked(), EndsWith("\r\n\r\nat once"));
}

TEST(Relay, EndsWithItsClientThoughNobodyTakesWhatItSent) {
  using boost::asio::ip::tcp;
  boost::asio::io_context context;
  tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
  constexpr int kLittle = 4'096;
  const auto connected = [&](tcp::socket& far) {
    far.open(tcp::v4());
    far.set_option(boost::asio::socket_base::receive_buffer_size(kLittle));
    far.connect(acceptor.local_endpoint());
    return acceptor.accept();
  };
  tcp::socket taker(context);
  auto tls = kubelet_context(Authority("anybody"));
  Relay to_taker{.backend = TlsStream(connected(taker), tls), .request = "GET /"};
  ssl::stream<tcp::socket> kubelet(std::move(taker), tls);  // which takes nothing
  int hands = 0;
  const auto shaken = [&](const boost::system::error_code& error) { hands += error ? 0 : 1; };
  to_taker.backend.set_verify_mode(ssl::verify_none);
  kubelet.set_verify_mode(ssl::verify_none);
  to_taker.backend.async_handshake(ssl::stream_base::client, shaken);
  kubelet.async_handshake(ssl::stream_base::server, shaken);
  context.run();
  context.restart();
  ASSERT_EQ(hands, 2);
  auto& backend = boost::beast::get_lowest_layer(to_taker.backend).socket();
  backend.set_option(boost::asio::socket_base::send_buffer_size(kLittle));
  tcp::socket sender(context);
  PlainStream client(connected(sender));
  bool over = false;
  boost::asio::co_spawn(context, relay(client, to_taker), [&](const std::exception_ptr&) { over = true; });
  // More than is taken, less than the relay's side holds, so that the end comes through.
  boost::asio::write(sender, boost::asio::buffer(std::string(50'000, 'x')));
  while (context.poll() > 0) {
  }
  EXPECT_FALSE(over);
  sender.close();
  context.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(over);
}

class PodStreamsOfALab : public PodStreamsOverHttp {
 protected:
  void SetUp() override {
    const auto client = authority_.for_client({.user = "the-server", .groups = {"system:masters"}});
    start({"--kubelet-client-certificate=" + file("client.crt", client.certificate),
           "--kubelet-client-key=" + file("client.key", client.key),
           "--kubelet-certificate-authority=" + file("ca.crt", authority_.certificate())});
  }
  const Authority& authority() const { return authority_; }

 private:
  static std::string file(const std::string& name, const std::string& content) {
    const auto path = std::filesystem::path(kStateDirectory) / name;
    std::ofstream(path) << content;
    return path.string();
  }
  Authority authority_{"the lab"};
};

TEST_F(PodStreamsOfALab, ShowWhoAsksAndAskNobodyElse) {
  Kubelet known("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlog", authority());
  point_at(known.port());
  const std::string log = "GET /api/v1/namespaces/shop/pods/web/log HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_THAT(exchange_raw(log), EndsWith("\r\n\r\nlog"));
  EXPECT_THAT(known.asked(), StartsWith("GET /containerLogs/shop/web/web"));
  EXPECT_EQ(known.client(), "the-server");

  Kubelet stranger("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlog", Authority("the lab"));
  point_at(stranger.port());
  EXPECT_THAT(exchange_raw(log), AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("error dialing backend: "),
                                       HasSubstr("certificate verify failed")));
  EXPECT_THAT(stranger.asked(), StartsWith("no handshake"));
}

TEST_F(PodStreamsOverHttp, AreRefusedWhereNobodyCanAnswer) {
  Kubelet kubelet("");
  point_at(kubelet.port());
  EXPECT_THAT(exchange_raw("POST " + std::string(kExec) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Upgrade request required")));
  point_at(1);
  EXPECT_THAT(exchange_raw(upgrade(kExec)),
              AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("error dialing backend: dial tcp 127.0.0.1:1: ")));
  EXPECT_EQ(client().get("/api/v1/namespaces/shop/pods/none/log").status, 404);
  EXPECT_EQ(client().put("/api/v1/namespaces/shop/pods/web/exec", json::object()).status, 405);
}

}  // namespace
}  // namespace knetsim::apiserver::test
