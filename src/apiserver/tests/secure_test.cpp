// Over TLS: who the server is, and who may ask it.
#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <fstream>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/sandbox.h"
#include "kubectl.h"
#include "lab.h"
#include "secure_client.h"
#include "tokens.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kNodes = "/api/v1/nodes";
constexpr const char* kAccounts = "/api/v1/namespaces/default/serviceaccounts";
const std::string kStaticToken = "0123456789abcdef";

class ApiServerSecure : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    const auto own = authority_.for_server({.user = "kube-apiserver"}, {"kubernetes", "kubernetes.default.svc"},
                                           {boost::asio::ip::make_address("10.96.0.1")});
    serve({"--tls-cert-file=" + file("server.crt", own.certificate),
           "--tls-private-key-file=" + file("server.key", own.key),
           "--client-ca-file=" + file("ca.crt", authority_.certificate()),
           "--token-auth-file=" + file("tokens.csv", kStaticToken + ",lab,1\n"),
           "--service-account-signing-key-file=" + file("sa.key", signing_key_), "--request-timeout=1"});
  }

  SecureClient as(std::optional<CertifiedKey> shown = {}) const {
    return {authority_.certificate(), "kubernetes.default.svc", std::move(shown)};
  }
  const Authority& authority() const { return authority_; }
  TokenKey signing_key() const { return TokenKey(signing_key_); }

  /// Makes a service account and returns its uid.
  std::string account(const std::string& name) {
    return client().post(kAccounts, {{"metadata", {{"name", name}}}}).json()["metadata"]["uid"];
  }
  Answer request_token(const std::string& name, const json& spec = json::object()) {
    return client().post(fmt::format("{}/{}/token", kAccounts, name), {{"spec", spec}});
  }

 private:
  static std::string file(const std::string& name, const std::string& content) {
    const auto path = std::filesystem::path(kStateDirectory) / name;
    std::ofstream(path) << content;
    return path.string();
  }

  Authority authority_{"the lab"};
  std::string signing_key_ = new_signing_key();
};

TEST_F(ApiServerSecure, AnswersWhoShowsATokenOrACertificateAndNobodyElse) {
  auto known = as(authority().for_client({.user = "admin", .groups = {"system:masters"}}));
  EXPECT_EQ(known.get(kNodes).status, 200U);

  auto nobody = as();
  const auto refused = nobody.get(kNodes);
  EXPECT_EQ(refused.status, 401U);
  EXPECT_EQ(refused.json(), json::parse(R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
    "message":"Unauthorized","reason":"Unauthorized","code":401})"));
  EXPECT_EQ(nobody.get_as(kStaticToken, kNodes).status, 200U);
  EXPECT_EQ(nobody.get_as(kStaticToken + "0", kNodes).status, 401U);
  EXPECT_EQ(nobody.get_as("", kNodes).status, 401U);
  EXPECT_EQ(nobody.get(kNodes, {{"Authorization", "Digest " + kStaticToken}}).status, 401U);
  EXPECT_EQ(nobody.get(kNodes, {{"Authorization", "Basic " + kStaticToken}}).status, 401U);
  EXPECT_EQ(nobody.send("POST", kAccounts, R"({"metadata":{"name":"sneaked-in"}})").status, 401U);
  EXPECT_EQ(client().get(std::string(kAccounts) + "/sneaked-in").status, 404U);
  for (const char* open : {"/healthz", "/livez", "/readyz", "/version"}) EXPECT_EQ(nobody.get(open).status, 200U);
  EXPECT_EQ(nobody.get("/metrics").status, 401U);

  const Authority other("another");
  auto stranger = as(other.for_client({.user = "admin", .groups = {"system:masters"}}));
  EXPECT_EQ(stranger.get(kNodes).status, 401U);
  EXPECT_EQ(stranger.get_as(kStaticToken, kNodes).status, 200U);
}

TEST_F(ApiServerSecure, IsWhomItsCertificateNamesAndNobodyElse) {
  const auto certificate = authority().certificate();
  for (const char* name : {"kubernetes", "kubernetes.default.svc", "10.96.0.1"})
    EXPECT_NO_THROW(SecureClient(certificate, name).connect()) << name;
  EXPECT_THROW(SecureClient(certificate, "kubernetes.shop.svc").connect(), boost::system::system_error);
  EXPECT_THROW(SecureClient(certificate, "10.96.0.2").connect(), boost::system::system_error);
  EXPECT_THROW(SecureClient(Authority("another").certificate(), "kubernetes").connect(), boost::system::system_error);
}

TEST_F(ApiServerSecure, GivesServiceAccountsTokensThatEndWithThem) {
  account("reader");
  const auto given = request_token("reader", {{"expirationSeconds", 1'200}});
  ASSERT_EQ(given.status, 201U) << given.body;
  EXPECT_EQ(given.json()["kind"], "TokenRequest");
  EXPECT_EQ(given.json()["spec"]["expirationSeconds"], 1'200);
  const std::string token = given.json()["status"]["token"];
  auto holder = as();
  EXPECT_EQ(holder.get_as(token, kNodes).status, 200U);
  const auto claims = signing_key().verify(token);
  ASSERT_TRUE(claims);
  EXPECT_EQ((*claims)["sub"], "system:serviceaccount:default:reader");
  EXPECT_EQ((*claims)["exp"].get<std::int64_t>() - (*claims)["iat"].get<std::int64_t>(), 1'200);

  // Any other letter in it, and it isn't one.
  for (const std::size_t at : {token.size() / 4, token.size() / 2, token.size() - 10}) {
    auto forged = token;
    forged[at] = forged[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(holder.get_as(forged, kNodes).status, 401U) << at;
  }
  EXPECT_EQ(holder.get_as(token + "AAAA", kNodes).status, 401U) << "a signature with something behind it";
  EXPECT_EQ(holder.get_as(TokenKey(new_signing_key()).sign(*claims), kNodes).status, 401U);
  const auto status_with = [&](const char* claim, const json& value) {
    auto others = *claims;
    others[claim] = value;
    return holder.get_as(signing_key().sign(others), kNodes).status;
  };
  EXPECT_EQ(status_with("jti", "x"), 200U);
  EXPECT_EQ(status_with("exp", (*claims)["iat"]), 401U);
  EXPECT_EQ(status_with("nbf", (*claims)["exp"]), 401U);
  EXPECT_EQ(status_with("iss", "https://elsewhere"), 401U);
  EXPECT_FALSE(signing_key().verify(signing_key().sign({{"jti", std::string(1 << 20, 'x')}}))) << "as long as that";

  const std::string elsewhere = request_token("reader", {{"audiences", {"elsewhere"}}}).json()["status"]["token"];
  EXPECT_EQ(holder.get_as(elsewhere, kNodes).status, 401U);

  EXPECT_EQ(client().remove(std::string(kAccounts) + "/reader").status, 200U);
  EXPECT_EQ(holder.get_as(token, kNodes).status, 401U);
  account("reader");  // another of the same name
  EXPECT_EQ(holder.get_as(token, kNodes).status, 401U);
}

TEST_F(ApiServerSecure, GivesTokensToKubectl) {
  constexpr int kFirst = 24;
  if (minor_version(kubectl()) < kFirst) GTEST_SKIP() << "kubectl before 1.24 has no create token";
  account("reader");
  const auto given = exec(kubectl_command(kubectl(), {"create", "token", "reader", "--duration=20m"}));
  ASSERT_TRUE(given.ok()) << given.err;
  const auto token = given.out.substr(0, given.out.find('\n'));
  EXPECT_EQ(as().get_as(token, kNodes).status, 200U);
  const auto claims = signing_key().verify(token);
  ASSERT_TRUE(claims);
  EXPECT_EQ((*claims)["exp"].get<std::int64_t>() - (*claims)["iat"].get<std::int64_t>(), 1'200);
}

TEST_F(ApiServerSecure, GivesTokensThatEndWithTheirPod) {
  account("reader");
  constexpr const char* kPods = "/api/v1/namespaces/default/pods";
  client().post(kPods, {{"metadata", {{"name", "p"}}}, {"spec", {{"containers", {{{"name", "c"}, {"image", "i"}}}}}}});
  const json bound{{"boundObjectRef", {{"kind", "Pod"}, {"apiVersion", "v1"}, {"name", "p"}}}};
  auto of_another = bound;
  of_another["boundObjectRef"]["uid"] = "another";
  EXPECT_EQ(request_token("reader", of_another).status, 409U);
  const std::string token = request_token("reader", bound).json()["status"]["token"];
  auto holder = as();
  EXPECT_EQ(holder.get_as(token, kNodes).status, 200U);
  EXPECT_EQ(client().remove(std::string(kPods) + "/p").status, 200U);
  EXPECT_EQ(holder.get_as(token, kNodes).status, 401U);
  EXPECT_EQ(request_token("reader", bound).status, 404U);
}

TEST_F(ApiServerSecure, RefusesTokenRequestsThatItCannotMeet) {
  account("reader");
  EXPECT_EQ(request_token("nobody").status, 404U);
  EXPECT_THAT(request_token("reader", {{"expirationSeconds", 5}}).body,
              HasSubstr("may not specify a duration less than 10 minutes"));
  EXPECT_EQ(request_token("reader", {{"expirationSeconds", 1LL << 40}}).status, 422U);
  EXPECT_EQ(request_token("reader", {{"expirationSeconds", "x"}}).status, 400U);
  EXPECT_EQ(request_token("reader", {{"boundObjectRef", {{"kind", "Secret"}, {"name", "s"}}}}).status, 400U);
  EXPECT_EQ(client().send("POST", std::string(kAccounts) + "/reader/token", "[").status, 400U);
  EXPECT_EQ(client().get(std::string(kAccounts) + "/reader/token").status, 405U);
  EXPECT_EQ(request_token("reader").status, 201U);
}

TEST_F(ApiServerSecure, GivesUpOnWhoTakesTooLongToShakeHandsOrToAsk) {
  using boost::asio::ip::tcp;
  boost::asio::io_context context;
  const tcp::endpoint server(boost::asio::ip::make_address("127.0.0.1"), 6443);
  const auto began = std::chrono::steady_clock::now();
  // Nothing; the beginning of a ClientHello; what is no TLS at all.
  const std::vector<std::string> beginnings{"", {"\x16\x03\x01\x02\x00\x01", 6}, "GET / HTTP/1.1\r\n\r\n"};
  for (const auto& said : beginnings) {
    tcp::socket socket(context);
    socket.connect(server);
    boost::asio::write(socket, boost::asio::buffer(said));
    boost::system::error_code error;
    std::array<char, 4'096> answer{};
    while (!error) socket.read_some(boost::asio::buffer(answer), error);
  }
  auto known = as(authority().for_client({.user = "admin"}));
  EXPECT_EQ(known.exchange_raw("GET / HTTP/1.1\r\nHost: a\r\n"), "");
  EXPECT_EQ(known.exchange_raw(fmt::format("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{{", kAccounts)),
            "");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
  EXPECT_THAT(
      known.exchange_raw(fmt::format("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", kAccounts)),
      testing::StartsWith("HTTP/1.1 413"));
  eventually([&]() -> std::optional<std::string> {
    if (client().get("/metrics").body.find("knetsim_apiserver_connections 1\n") != std::string::npos)
      return std::nullopt;
    return "a server that has one connection";
  });
  EXPECT_EQ(known.get(kNodes).status, 200U);
}

TEST_F(ApiServerSecure, WatchesForWhoIsThere) {
  const std::string watches = "apiserver_longrunning_requests{verb=\"WATCH\"} ";
  const auto metrics_say = [&](const std::string& count) {
    eventually([&]() -> std::optional<std::string> {
      if (client().get("/metrics").body.find(watches + count + "\n") != std::string::npos) return std::nullopt;
      return count + " watches";
    });
  };
  auto known = as(authority().for_client({.user = "admin"}));
  // The server ends it, and with it the connection; then there is another.
  const auto seen = known.get(std::string(kAccounts) + "?watch=true&timeoutSeconds=1&resourceVersion=0");
  EXPECT_EQ(seen.status, 200U);
  EXPECT_EQ(known.get(kNodes).status, 200U);
  metrics_say("0");
  {
    auto leaving = as(authority().for_client({.user = "admin"}));
    leaving.connect();
    leaving.begin(std::string("GET ") + kAccounts + "?watch=true HTTP/1.1\r\nHost: a\r\n\r\n");
    metrics_say("1");
  }
  metrics_say("0");
}

}  // namespace
}  // namespace knetsim::apiserver::test
