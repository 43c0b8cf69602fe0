// What is answered to those who don't speak as they should, and to those who ask for no object.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/sandbox.h"
#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

class ApiServerHttp : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve({"--max-connections=20", "--request-timeout=1"});
    make_namespace("shop");
  }
};

struct Case {
  const char* name;
  const char* method;
  const char* target;
  Headers headers;
  const char* body;
  unsigned status;
  const char* says;
};

TEST_F(ApiServerHttp, RefusesWhatItCannotServeWithTheRightStatus) {
  const std::string deep = R"({"metadata":)" + std::string(5'000, '[') + std::string(5'000, ']') + "}";
  const std::vector<Case> cases{
      {"unknown path", "GET", "/nope", {}, "", 404, "404 page not found"},
      {"unknown group", "GET", "/apis/nope.io/v1/x", {}, "", 404, "404 page not found"},
      {"unknown resource", "GET", "/api/v1/namespaces/shop/foos", {}, "", 404, "could not find the requested resource"},
      {"unknown subresource", "GET", "/api/v1/namespaces/shop/configmaps/a/nope", {}, "", 404, "NotFound"},
      {"wrong verb", "PATCH", kConfigMaps, {}, "{}", 405, "MethodNotAllowed"},
      {"odd verb", "BREW", kConfigMaps, {}, "", 405, "MethodNotAllowed"},
      {"odd type", "POST", kConfigMaps, {{"Content-Type", "text/plain"}}, "x", 415, "UnsupportedMediaType"},
      {"protobuf where it can't be read",
       "DELETE",
       kConfigMaps,
       {{"Content-Type", "application/vnd.kubernetes.protobuf"}},
       "k8s",
       415,
       "UnsupportedMediaType"},
      {"odd accept", "GET", kConfigMaps, {{"Accept", "text/html"}}, "", 406, "NotAcceptable"},
      {"odd table", "GET", kConfigMaps, {{"Accept", "application/json;as=Chair;v=v1;g=meta.k8s.io"}}, "", 406, "Not"},
      {"no JSON", "POST", kConfigMaps, {}, "{nope", 400, "BadRequest"},
      {"nested deeply", "POST", kConfigMaps, {}, deep.c_str(), 400, "BadRequest"},
      {"another kind", "POST", kConfigMaps, {}, R"({"apiVersion":"v1","kind":"Pod"})", 400, "cannot be handled"},
      {"bad selector", "GET", "/api/v1/pods?labelSelector=a+b+c", {}, "", 400, "unable to parse requirement"},
      {"bad field", "GET", "/api/v1/pods?fieldSelector=spec.x%3Dy", {}, "", 400, "field"},
      {"bad limit", "GET", "/api/v1/pods?limit=x", {}, "", 400, "limit"},
      {"bad continue", "GET", "/api/v1/pods?limit=1&continue=xxx", {}, "", 400, "continue key is not valid"},
      {"bad escape", "GET", "/api/v1/namespaces/%zz/pods", {}, "", 400, "decoded"},
      {"no UTF-8", "GET", "/api/v1/nodes/%ff", {}, "", 404, "not found"},
      {"no UTF-8 as a revision", "GET", "/api/v1/pods?resourceVersion=%ff", {}, "", 500, "Status"},
      {"the default namespace", "DELETE", "/api/v1/namespaces/default", {}, "", 403, "may not be deleted"},
      {"no namespace", "POST", "/api/v1/namespaces/none/configmaps", {}, R"({"metadata":{"name":"a"}})", 404, "none"},
      {"bad dry run",
       "POST",
       "/api/v1/namespaces/shop/configmaps?dryRun=Some",
       {},
       R"({"metadata":{"name":"a"}})",
       400,
       "dryRun"},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(row.name);
    const auto answer = client().send(row.method, row.target, row.body, row.headers);
    EXPECT_EQ(answer.status, row.status) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(row.says));
  }
  EXPECT_TRUE(client().get(kConfigMaps).json()["items"].empty());  // nothing was applied by half
}

TEST_F(ApiServerHttp, RefusesWhatIsTooBigOrNoHttpAndLivesOn) {
  EXPECT_THAT(exchange_raw("GARBAGE\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(exchange_raw("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(
      exchange_raw("POST " + std::string(kConfigMaps) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"),
      StartsWith("HTTP/1.1 413"));
  // More than etcd takes, and less than a body may be.
  const json container{{"name", "c"}, {"image", "i"}, {"args", {std::string(2'500'000, 'x')}}};
  const auto big = client().post("/api/v1/namespaces/shop/pods",
                                 {{"metadata", {{"name", "big"}}}, {"spec", {{"containers", {container}}}}});
  EXPECT_EQ(big.status, 413U) << big.body;
  EXPECT_EQ(client().get("/livez").body, "ok");
}

TEST_F(ApiServerHttp, GivesUpOnWhoTakesTooLong) {
  const auto began = std::chrono::steady_clock::now();
  // Half a header, half a body: neither is waited for without end, and nothing is answered.
  EXPECT_EQ(exchange_raw("GET / HTTP/1.1\r\nHost: a\r\n"), "");
  EXPECT_EQ(exchange_raw("POST " + std::string(kConfigMaps) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{"),
            "");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15));
  // Who doesn't read what it watches is cut off.
  constexpr int kObjects = 6;  // megabytes: more than the kernel takes on the way
  const std::string large(1'000'000, 'x');
  for (int i = 0; i < kObjects; ++i) client().post(kConfigMaps, config_map("c" + std::to_string(i), {{"a", large}}));
  using boost::asio::ip::tcp;
  boost::asio::io_context context;
  tcp::socket lazy(context, tcp::v4());
  lazy.set_option(boost::asio::socket_base::receive_buffer_size(4'096));
  lazy.connect({boost::asio::ip::make_address("127.0.0.1"), 8001});
  const std::string request = "GET " + std::string(kConfigMaps) + "?watch=true HTTP/1.1\r\nHost: a\r\n\r\n";
  boost::asio::write(lazy, boost::asio::buffer(request));
  const std::string watches = "apiserver_longrunning_requests{verb=\"WATCH\"} ";
  const auto metrics_say = [&](const std::string& count) {
    eventually([&]() -> std::optional<std::string> {
      if (client().get("/metrics").body.find(watches + count + "\n") != std::string::npos) return std::nullopt;
      return count + " watches";
    });
  };
  metrics_say("1");
  metrics_say("0");
}

TEST_F(ApiServerHttp, TurnsAwayMoreClientsThanItMayHave) {
  std::vector<std::unique_ptr<Watch>> watches;
  const auto open = [&] { watches.push_back(std::make_unique<Watch>(std::string(kConfigMaps) + "?watch=true")); };
  for (int i = 0; i < 19; ++i) open();  // and the client
  open();
  EXPECT_EQ(watches.back()->status(), 429U);
  client().post(kConfigMaps, config_map("a"));
  EXPECT_THAT(watches.front()->events(1), testing::ElementsAre("ADDED a"));
  // Who goes makes room.
  watches.clear();
  eventually([&]() -> std::optional<std::string> {
    if (client().get("/metrics").body.find("knetsim_apiserver_connections 1\n") != std::string::npos)
      return std::nullopt;
    return "a server that has one connection";
  });
}

TEST_F(ApiServerHttp, TellsHowItIs) {
  for (const char* path : {"/livez", "/readyz", "/healthz"}) {
    EXPECT_EQ(client().get(path, {{"Accept", "*/*"}}).body, "ok") << path;
  }
  EXPECT_EQ(client().get("/version").json()["minor"], "32");
  EXPECT_THAT(client().get("/metrics").body, HasSubstr("apiserver_storage_objects{resource=\"namespaces\"} 5\n"));
  member().kill();
  const auto answer = client().get("/readyz");
  EXPECT_EQ(answer.status, 500U);
  EXPECT_THAT(answer.body, HasSubstr("etcd failed"));
  EXPECT_EQ(client().get(kConfigMaps).status, 200U);  // readers don't need etcd
  EXPECT_EQ(client().post(kConfigMaps, config_map("a")).status, 503U);
  member().restart();
  eventually([&]() -> std::optional<std::string> {
    if (client().post(kConfigMaps, config_map("a")).status == 201U) return std::nullopt;
    return "a server that writes again";
  });
  EXPECT_EQ(client().get(std::string(kConfigMaps) + "/a").status, 200U);
}

TEST_F(ApiServerHttp, GivesDocumentsAgainOnlyWhenTheyHaveChanged) {
  const std::string accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  for (const std::string target : {"/api", "/apis", "/openapi/v3"}) {
    SCOPED_TRACE(target);
    const auto first = client().get(target, {{"Accept", accept}});
    EXPECT_EQ(first.status, 200U);
    const auto etag = first.header("Etag");
    EXPECT_FALSE(etag.empty());
    const auto again = client().get(target, {{"Accept", accept}, {"If-None-Match", etag}});
    EXPECT_EQ(again.status, 304U);
    EXPECT_EQ(again.body, "");
    EXPECT_EQ(client().get(target, {{"Accept", accept}, {"If-None-Match", "\"other\""}}).body, first.body);
  }
  EXPECT_THAT(client().get("/api", {{"Accept", accept}}).header("Content-Type"), HasSubstr("as=APIGroupDiscoveryList"));
  EXPECT_EQ(client().get("/api").json()["kind"], "APIVersions");
  EXPECT_EQ(client().get("/apis").json()["kind"], "APIGroupList");
  EXPECT_EQ(client().get("/api/v1").json()["kind"], "APIResourceList");
  auto index = client().get("/openapi/v3").json();
  const auto document = client().get(index["paths"]["api/v1"]["serverRelativeURL"].get<std::string>());
  EXPECT_TRUE(document.json()["paths"].size() > 1);
}

ExecResult program(const std::vector<std::string>& arguments) {
  Command command;
  command.argv = {(own_directory() / "knetsim-apiserver").string()};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return exec(command);
}

TEST(ApiServerProgram, SaysWhatItTakesAndRefusesWhatItDoesNot) {
  EXPECT_EQ(program({"--help"}).status.code(), 0);
  EXPECT_THAT(program({"--help"}).out, HasSubstr("--service-cluster-ip-range"));
  EXPECT_THAT(program({"--version"}).out, StartsWith("knetsim-apiserver "));
  for (const char* bad :
       {"--nope", "--listen=8001", "--listen=localhost:1", "--service-cluster-ip-range=10.0.0.0/33",
        "--service-cluster-ip-range=fd00::/64", "--service-node-port-range=9", "--etcd-servers=ftp://x",
        "--advertise-address=127.0.0.1", "--watch-window=0", "--secure-listen-fd=5"}) {
    const auto result = program({bad});
    EXPECT_EQ(result.status.code(), 2) << bad;
    EXPECT_THAT(result.err, HasSubstr("knetsim-apiserver: ")) << bad;
  }
  const auto half = program({"--tls-cert-file=/etc/passwd"});
  EXPECT_EQ(half.status.code(), 2);
  EXPECT_THAT(half.err, HasSubstr("--tls-private-key-file go together"));
  const auto tokens = std::filesystem::path(kStateDirectory) / "tokens.csv";
  std::ofstream(tokens) << "0123456789abcdef,lab,1\nshort,lab,2\n";
  const auto guessed = program({"--token-auth-file=" + tokens.string()});
  EXPECT_EQ(guessed.status.code(), 2);
  EXPECT_THAT(guessed.err, HasSubstr("tokens.csv:2: "));
  boost::asio::io_context context;
  const boost::asio::ip::tcp::acceptor taken(context, {boost::asio::ip::make_address("127.0.0.1"), 8001});
  const auto result = program({"--listen=127.0.0.1:8001"});
  EXPECT_EQ(result.status.code(), 1);
  EXPECT_THAT(result.err, HasSubstr("127.0.0.1:8001"));
}

}  // namespace
}  // namespace knetsim::apiserver::test
