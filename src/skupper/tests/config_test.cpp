#include "knetsim/skupper/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <string>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::skupper {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kRouter = R"(["router", {"id": "a", "mode": "interior"}])";

std::string with_router(const std::string& entities) { return std::string("[") + kRouter + ",\n" + entities + "]"; }

std::string refusal(const std::string& json) {
  try {
    parse_config(json, "a.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(RouterConfig, HasSkrouterdsDefaults) {
  const auto config = parse_config(R"([["router", {}], ["listener", {"name": "amqp"}], ["connector", {"name": "up"}],
                       ["tcpListener", {"port": 1, "address": "x"}]])",
                                   "a");
  EXPECT_EQ(config.router.id, "");
  EXPECT_EQ(config.router.mode, RouterMode::standalone);
  EXPECT_EQ(config.router.hello_interval.count(), 1);
  EXPECT_EQ(config.router.hello_max_age.count(), 3);
  EXPECT_EQ(config.router.ra_interval.count(), 30);
  EXPECT_EQ(config.router.ra_interval_flux.count(), 4);
  EXPECT_EQ(config.router.remote_ls_max_age.count(), 60);
  EXPECT_EQ(config.router.worker_threads, 4U);
  EXPECT_EQ(config.router.data_connections, 2U);
  const auto& listener = config.listeners.at(0);
  EXPECT_EQ(listener.host, "");
  EXPECT_EQ(listener.port, 5672);
  EXPECT_EQ(listener.role, Role::normal);
  EXPECT_EQ(listener.connection.max_frame_size, 16'384U);
  EXPECT_EQ(listener.connection.max_session_frames, std::nullopt);
  EXPECT_EQ(listener.connection.idle_timeout.count(), 16);
  EXPECT_EQ(listener.connection.cost, 1U);
  EXPECT_FALSE(listener.http);
  EXPECT_TRUE(listener.healthz);
  EXPECT_TRUE(listener.metrics);
  EXPECT_EQ(listener.connection.max_sessions, 32'768U);
  EXPECT_EQ(listener.handshake_timeout, kHandshakeTimeout);
  EXPECT_EQ(config.tcp_listeners.at(0).host, "0.0.0.0");
  EXPECT_EQ(config.tcp_listeners.at(0).backlog, 0);
  EXPECT_EQ(config.connectors.at(0).host, "127.0.0.1");
  EXPECT_TRUE(config.connectors.at(0).verify_hostname);
}

// What two real routers were given: strings for numbers, and numbers.
TEST(RouterConfig, ReadsWhatRealRoutersAreGiven) {
  const auto config = parse_config(R"([
    ["router", {"id": "c1", "mode": "interior", "helloMaxAgeSeconds": "3", "metadata": "{'id': 'c1'}"}],
    ["listener", {"name": "interior-listener", "role": "inter-router", "host": "0.0.0.0", "port": 55671,
                  "maxFrameSize": 16384, "maxSessionFrames": 640}],
    ["listener", {"name": "@9090", "role": "normal", "port": 9090, "http": true, "httpRootDir": "disabled",
                  "healthz": "yes", "metrics": "no"}],
    ["connector", {"name": "link1", "role": "inter-router", "host": "10.9.0.1", "port": "55671", "cost": 2}],
    ["tcpListener", {"name": "l", "host": "0.0.0.0", "port": "1028", "address": "svc1:8080", "siteId": "c1"}],
    ["tcpConnector", {"name": "c", "host": "127.0.0.1", "port": 8080, "address": "svc1:8080"}],
    ["address", {"prefix": "mc", "distribution": "multicast"}],
    ["site", {"name": "here", "platform": "linux"}],
    ["log", {"module": "ROUTER", "enable": "debug+"}]])",
                                   "c1.json");
  EXPECT_EQ(config.router.id, "c1");
  EXPECT_EQ(config.router.mode, RouterMode::interior);
  EXPECT_EQ(config.router.metadata, "{'id': 'c1'}");
  EXPECT_EQ(config.listeners.at(0).port, 55'671);
  EXPECT_EQ(config.listeners.at(0).role, Role::inter_router);
  EXPECT_EQ(config.listeners.at(0).connection.max_session_frames, 640U);
  EXPECT_TRUE(config.listeners.at(1).http);
  EXPECT_TRUE(config.listeners.at(1).healthz);
  EXPECT_FALSE(config.listeners.at(1).metrics);
  EXPECT_EQ(config.connectors.at(0).host, "10.9.0.1");
  EXPECT_EQ(config.connectors.at(0).port, 55'671);
  EXPECT_EQ(config.connectors.at(0).connection.cost, 2U);
  EXPECT_EQ(config.tcp_listeners.at(0).port, 1028);
  EXPECT_EQ(config.tcp_listeners.at(0).address, "svc1:8080");
  EXPECT_EQ(config.tcp_listeners.at(0).site_id, "c1");
  EXPECT_EQ(config.tcp_connectors.at(0).host, "127.0.0.1");
  EXPECT_EQ(config.tcp_connectors.at(0).port, 8080);
  EXPECT_EQ(config.logs.at(0).module, "ROUTER");
  EXPECT_EQ(config.logs.at(0).enable, "debug+");
}

// Each has a value that isn't its default.
TEST(RouterConfig, ReadsEveryAttributeThatHasAnEffect) {
  const auto config = parse_config(R"([
    ["router", {"id": "a", "mode": "interior", "helloIntervalSeconds": 2, "helloMaxAgeSeconds": 5, "raIntervalSeconds": 31,
                "raIntervalFluxSeconds": 6, "remoteLsMaxAgeSeconds": 61, "workerThreads": 7, "dataConnectionCount": 9,
                "metadata": "m"}],
    ["sslProfile", {"name": "p", "caCertFile": "/ca", "certFile": "/cert", "privateKeyFile": "/key", "ciphers": "ALL",
                    "protocols": "TLSv1.3"}],
    ["listener", {"name": "l", "host": "10.0.0.1", "port": 1, "role": "edge", "cost": 2, "maxFrameSize": 512,
                  "maxSessionFrames": 3, "maxSessions": 1, "idleTimeoutSeconds": 4, "sslProfile": "p",
                  "saslMechanisms": "EXTERNAL PLAIN", "initialHandshakeTimeoutSeconds": 5, "authenticatePeer": true,
                  "requireSsl": true}],
    ["listener", {"name": "h", "http": true, "healthz": false, "metrics": false}],
    ["connector", {"name": "c", "host": "10.0.0.2", "port": 6, "role": "inter-router", "cost": 7, "maxFrameSize": 513,
                   "maxSessionFrames": 8, "maxSessions": 9, "idleTimeoutSeconds": 10, "sslProfile": "p",
                   "saslMechanisms": "EXTERNAL", "verifyHostname": false}],
    ["tcpListener", {"name": "tl", "host": "10.0.0.3", "port": 11, "address": "x", "siteId": "s", "backlog": 12}],
    ["tcpConnector", {"name": "tc", "host": "10.0.0.4", "port": 13, "address": "y", "siteId": "t"}],
    ["log", {"module": "ROUTER", "enable": "none"}]])",
                                   "a.json");
  EXPECT_THAT(config.without_effect, IsEmpty());
  const auto& router = config.router;
  EXPECT_EQ(router.id, "a");
  EXPECT_EQ(router.mode, RouterMode::interior);
  EXPECT_EQ(router.hello_interval.count(), 2);
  EXPECT_EQ(router.hello_max_age.count(), 5);
  EXPECT_EQ(router.ra_interval.count(), 31);
  EXPECT_EQ(router.ra_interval_flux.count(), 6);
  EXPECT_EQ(router.remote_ls_max_age.count(), 61);
  EXPECT_EQ(router.worker_threads, 7U);
  EXPECT_EQ(router.data_connections, 9U);
  EXPECT_EQ(router.metadata, "m");
  const auto& profile = config.ssl_profiles.at(0);
  EXPECT_EQ(profile.ca_cert_file, "/ca");
  EXPECT_EQ(profile.cert_file, "/cert");
  EXPECT_EQ(profile.private_key_file, "/key");
  EXPECT_EQ(profile.ciphers, "ALL");
  EXPECT_EQ(profile.protocols, "TLSv1.3");
  const auto& listener = config.listeners.at(0);
  EXPECT_EQ(listener.host, "10.0.0.1");
  EXPECT_EQ(listener.port, 1);
  EXPECT_EQ(listener.role, Role::edge);
  EXPECT_EQ(listener.connection.cost, 2U);
  EXPECT_EQ(listener.connection.max_frame_size, 512U);
  EXPECT_EQ(listener.connection.max_session_frames, 3U);
  EXPECT_EQ(listener.connection.max_sessions, 1U);
  EXPECT_EQ(listener.connection.idle_timeout.count(), 4);
  EXPECT_EQ(listener.connection.ssl_profile, "p");
  EXPECT_THAT(listener.connection.sasl_mechanisms, ElementsAre("EXTERNAL", "PLAIN"));
  EXPECT_EQ(listener.handshake_timeout.count(), 5);
  EXPECT_TRUE(listener.authenticate_peer);
  EXPECT_TRUE(listener.require_ssl);
  EXPECT_TRUE(config.listeners.at(1).http);
  EXPECT_FALSE(config.listeners.at(1).healthz);
  EXPECT_FALSE(config.listeners.at(1).metrics);
  const auto& connector = config.connectors.at(0);
  EXPECT_EQ(connector.host, "10.0.0.2");
  EXPECT_EQ(connector.port, 6);
  EXPECT_EQ(connector.role, Role::inter_router);
  EXPECT_EQ(connector.connection.cost, 7U);
  EXPECT_EQ(connector.connection.max_frame_size, 513U);
  EXPECT_EQ(connector.connection.max_session_frames, 8U);
  EXPECT_EQ(connector.connection.max_sessions, 9U);
  EXPECT_EQ(connector.connection.idle_timeout.count(), 10);
  EXPECT_EQ(connector.connection.ssl_profile, "p");
  EXPECT_THAT(connector.connection.sasl_mechanisms, ElementsAre("EXTERNAL"));
  EXPECT_FALSE(connector.verify_hostname);
  const auto& entrance = config.tcp_listeners.at(0);
  EXPECT_EQ(entrance.host, "10.0.0.3");
  EXPECT_EQ(entrance.port, 11);
  EXPECT_EQ(entrance.address, "x");
  EXPECT_EQ(entrance.site_id, "s");
  EXPECT_EQ(entrance.backlog, 12);
  const auto& exit = config.tcp_connectors.at(0);
  EXPECT_EQ(exit.host, "10.0.0.4");
  EXPECT_EQ(exit.port, 13);
  EXPECT_EQ(exit.address, "y");
  EXPECT_EQ(exit.site_id, "t");
  EXPECT_EQ(config.logs.at(0).module, "ROUTER");
  EXPECT_EQ(config.logs.at(0).enable, "none");
}

TEST(RouterConfig, TellsWhatHasNoEffect) {
  const auto config = parse_config(
      with_router(R"(["listener", {"name": "l", "stripAnnotations": "both"}], ["address", {"prefix": "mc"}])"), "a");
  EXPECT_THAT(config.without_effect, ElementsAre("listener \"l\": attribute stripAnnotations has no effect",
                                                 "address: attribute prefix has no effect"));
}

TEST(RouterConfig, AcceptsTheHarmlessValueOfWhatItCannotDo) {
  const auto config =
      parse_config(with_router(R"(["listener", {"name": "l", "requireEncryption": "no", "policyVhost": ""}])"), "a");
  EXPECT_THAT(config.listeners, testing::SizeIs(1));
}

TEST(RouterConfig, HalvesItsThreadsForDataConnections) {
  const auto connections = [](const std::string& attributes) {
    return parse_config("[[\"router\", {" + attributes + "}]]", "a").router.data_connections;
  };
  EXPECT_EQ(connections(R"("workerThreads": 1)"), 1U);
  EXPECT_EQ(connections(R"("workerThreads": "5", "dataConnectionCount": "auto")"), 3U);
  EXPECT_EQ(connections(R"("workerThreads": 4, "dataConnectionCount": "7")"), 7U);
  EXPECT_EQ(connections(R"("dataConnectionCount": 0)"), 0U);
}

TEST(RouterConfig, ReadsTlsAndSasl) {
  const auto config = parse_config(with_router(R"(
    ["sslProfile", {"name": "s", "caCertFile": "/ca", "certFile": "/cert", "privateKeyFile": "/key"}],
    ["listener", {"name": "l", "sslProfile": "s", "saslMechanisms": "EXTERNAL PLAIN", "authenticatePeer": true}],
    ["connector", {"name": "c", "sslProfile": "s", "verifyHostname": "off"}])"),
                                   "a");
  EXPECT_EQ(config.ssl_profiles.at(0).ca_cert_file, "/ca");
  EXPECT_EQ(config.ssl_profiles.at(0).cert_file, "/cert");
  EXPECT_EQ(config.ssl_profiles.at(0).private_key_file, "/key");
  EXPECT_EQ(config.listeners.at(0).connection.ssl_profile, "s");
  EXPECT_THAT(config.listeners.at(0).connection.sasl_mechanisms, ElementsAre("EXTERNAL", "PLAIN"));
  EXPECT_TRUE(config.listeners.at(0).authenticate_peer);
  EXPECT_FALSE(config.connectors.at(0).verify_hostname);
}

TEST(RouterConfig, SkipsCommentLinesAndNestedValues) {
  const auto config = parse_config(R"([
  # one router
    ["router", {
      #"id": "no",
      "id": "#yes"}],
    ["listener", {"name": "l", "openProperties": {"a": [1, {"name": "x"}], "name": "y"}, "port": 1}]])",
                                   "a");
  EXPECT_EQ(config.router.id, "#yes");
  EXPECT_EQ(config.listeners.at(0).port, 1);
  EXPECT_EQ(config.listeners.at(0).name, "l");
}

struct BadConfig {
  std::string description;
  std::string json;
  std::string error;
};

std::string described(const testing::TestParamInfo<BadConfig>& info) { return info.param.description; }

class RefusesRouterConfig : public testing::TestWithParam<BadConfig> {};

TEST_P(RefusesRouterConfig, SayingWhatIsWrongAndWhere) {
  EXPECT_THAT(refusal(GetParam().json), HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Shape, RefusesRouterConfig,
    testing::ValuesIn(std::vector<BadConfig>{
        {"Empty", "", "a.json:1:1: syntax error while parsing value - unexpected end"},
        {"Truncated", "[[\"router\",\n{", "a.json:2:1: syntax error"},
        {"NotUtf8", "[[\"router\",\n{\"id\": \"\xff\"}]]", "a.json:2:9: syntax error"},
        {"Trailing", "[] x", "a.json:1:4: syntax error"},
        {"ConfSyntax", "router {\n  id: a\n}", "a.json: not JSON, but skrouterd's .conf syntax"},
        {"NotAList", "{}", "a.json:1: /: {}: is an object, must be an array"},
        {"AScalar", "7", "a.json:1: /: 7: is a number, must be an array"},
        {"NoEntities", "[]", "a.json: there is no router entity"},
        {"EntityThatIsAnObject", "[\n{}]", "a.json:2: /0: {}: must be an entity, [name, {attributes}]"},
        {"EntityWithoutAttributes", R"([["router"]])", "a.json:1: /0: [\"router\"]: must be an entity"},
        {"EntityThatIsEmpty", R"([[]])", "a.json:1: /0: []: must be an entity"},
        {"EntityWithTooMuch", R"([["router", {}, {}]])", "a.json:1: /0: [\"router\",{},{}]: must be an entity"},
        {"NameThatIsANumber", "[\n\n[5, {}]]", "a.json:3: /0/0: 5: is a number, must be a string"},
        {"AttributeTwice", "[[\"router\", {\n\"id\": \"a\",\n\"id\": \"b\"}]]",
         "a.json:3: /0/1/id: the key \"id\" stands twice in one object"},
    }),
    described);

INSTANTIATE_TEST_SUITE_P(
    Meaning, RefusesRouterConfig,
    testing::ValuesIn(std::vector<BadConfig>{
        {"UnknownEntity", with_router(R"(["autoLink", {}])"),
         "a.json:2: /1/0: \"autoLink\": there is no such entity\n  remedy: known here are router, listener"},
        {"UnknownAttribute", with_router("[\"tcpListener\", {\"name\": \"l\",\n\"prot\": 5}]"),
         "a.json:3: /1/1/prot: 5: there is no such attribute, in tcpListener \"l\"\n  remedy: known here are name, "
         "host, "
         "port"},
        {"TwoRouters", with_router(R"(["router", {"id": "b"}])"),
         "a.json:2: /1/1/id: \"b\": there is a router already, a.json:1: /0, in router"},
        {"NameOfAnotherKind",
         with_router(
             "[\"connector\", {\"name\": \"l\"}],\n[\"tcpListener\", {\"name\": \"l\", \"port\": 1, \"address\": "
             "\"x\"}]"),
         "a.json:3: /2/1/name: \"l\": the connector at a.json:2: /1 has that name already, in tcpListener \"l\""},
        {"SpellingTwice", with_router(R"(["listener", {"maxFrameSize": 512, "max-frame-size": 512}])"),
         "/1/1/max-frame-size: 512: stands twice, in listener"},
        {"ManyAddresses",
         with_router(R"(["tcpListener", {"port": 1, "address": "x", "multiAddressStrategy": "priority"}])"),
         "/multiAddressStrategy: \"priority\": skrouterd can do that, the built-in router can't"},
        {"NameEmpty", with_router(R"(["listener", {"name": ""}])"), "/name: \"\": must not be empty"},
        {"NameTwice", with_router("[\"listener\", {\"name\": \"l\"}],\n[\"listener\", {\"name\": \"l\"}]"),
         "a.json:3: /2/1/name: \"l\": the listener at a.json:2: /1 has that name already"},
        {"PortMissing", with_router(R"(["tcpListener", {"name": "l", "address": "x"}])"), "/port: is missing"},
        {"AddressMissing", with_router(R"(["tcpListener", {"name": "l", "port": 1}])"), "/address: is missing"},
        {"AddressEmpty", with_router(R"(["tcpListener", {"name": "l", "port": 1, "address": ""}])"),
         "/address: \"\": must not be empty"},
        {"PortOutOfRange", with_router(R"(["listener", {"name": "l", "port": "65536"}])"),
         "/port: \"65536\": is out of range, in listener \"l\"\n  remedy: give a whole number from 0 to 65535, "
         "\"amqp\", or a "
         "service's name"},
        {"PortNegative", with_router(R"(["listener", {"name": "l", "port": -1}])"), "/port: -1: is out of range"},
        {"PortHuge", with_router(R"(["listener", {"name": "l", "port": 99999999999999999999}])"), "/port: 1e+20"},
        {"PortHugeText", with_router(R"(["listener", {"name": "l", "port": "99999999999999999999"}])"),
         "is out of range"},
        {"PortWithTail", with_router(R"(["listener", {"name": "l", "port": "80x"}])"), "isn't a port"},
        {"PortThatIsAFloat", with_router(R"(["listener", {"name": "l", "port": 1.5}])"), "isn't a port"},
        {"PortToConnectToIsZero",
         with_router(R"(["tcpConnector", {"name": "l", "host": "h", "port": 0, "address": "x"}])"),
         "/port: 0: is out of range"},
        {"BooleanThatIsNone", with_router(R"(["listener", {"name": "l", "http": "maybe"}])"),
         "/http: \"maybe\": isn't a boolean"},
        {"BooleanThatIsTwo", with_router(R"(["listener", {"name": "l", "http": 2}])"), "isn't a boolean"},
        {"TextThatIsAList", with_router(R"(["listener", {"name": "l", "host": ["a"]}])"),
         "/host: [\"a\"]: isn't a string"},
        {"TextThatIsNull", with_router(R"(["listener", {"name": "l", "host": null}])"), "isn't a string"},
        {"TextWithControlCharacters", with_router(R"(["listener", {"name": "l", "host": "a\u0000b"}])"),
         "has control characters"},
        {"NoSuchRole", with_router(R"(["listener", {"name": "l", "role": "route-container"}])"),
         "is no choice, in listener \"l\"\n  remedy: one of normal, inter-router, edge"},
        {"FrameTooSmall", with_router(R"(["listener", {"name": "l", "maxFrameSize": 511}])"), "from 512"},
        {"CostZero", with_router(R"(["connector", {"name": "l", "cost": 0}])"), "/cost: 0: is out of range"},
        {"NoSuchProfile", with_router(R"(["listener", {"name": "l", "sslProfile": "s"}])"),
         "/sslProfile: \"s\": there is no sslProfile of that name, in listener \"l\"\n  remedy: add one"},
        {"KeyMissing", with_router(R"(["sslProfile", {"name": "s", "certFile": "/c"}])"),
         "/1/1/privateKeyFile: is missing, in sslProfile \"s\""},
        {"BlankInId", R"([["router", {"id": "a b"}]])", "/id: \"a b\": has a blank or a slash"},
        {"SlashInId", R"([["router", {"id": "a/b"}]])", "has a blank or a slash"},
        {"AgeBelowInterval", R"([["router", {"helloIntervalSeconds": 5}]])",
         "/helloIntervalSeconds: 5: neighbours would be given up"},
        {"NoThreads", R"([["router", {"workerThreads": 0}]])", "is out of range"},
        {"NegativeDataConnections", R"([["router", {"dataConnectionCount": -1}]])", "or \"auto\""},
        {"InterRouterOfStandalone", R"([["router", {}], ["connector", {"name": "c", "role": "inter-router"}]])",
         "a router of mode standalone can't have that"},
        {"EdgeListenerOfEdge", R"([["router", {"mode": "edge"}], ["listener", {"name": "c", "role": "edge"}]])",
         "a router of mode edge can't have that, in listener \"c\"\n  remedy: edge connectors belong to edge routers"},
        {"EdgeConnectorOfInterior", with_router(R"(["connector", {"name": "c", "role": "edge"}])"),
         "a router of mode interior can't have that"},
        {"TlsForClients", with_router(R"(["sslProfile", {"name": "s"}], ["tcpListener", {"name": "l", "port": 1,
           "address": "x", "sslProfile": "s"}])"),
         "/sslProfile: \"s\": skrouterd can do that, the built-in router can't"},
        {"Passwords", with_router(R"(["sslProfile", {"name": "s", "password": "p"}])"), "the built-in router can't"},
        {"LogWithoutModule", with_router(R"(["log", {"enable": "info+"}])"), "/module: is missing"},
    }),
    described);

TEST(RouterConfig, GivesNamesToThoseThatHaveNone) {
  const auto config = parse_config(with_router(R"(["tcpListener", {"host": "localhost", "port": 20829, "address": "a"}],
                     ["tcpListener", {"host": "localhost", "port": 20829, "address": "b"}],
                     ["tcpConnector", {"port": "http", "address": "a"}])"),
                                   "a.json");
  EXPECT_EQ(config.tcp_listeners.at(0).name, "tcpListener/localhost:20829");
  EXPECT_EQ(config.tcp_listeners.at(1).name, "tcpListener/localhost:20829/2");
  EXPECT_EQ(config.tcp_connectors.at(0).name, "tcpConnector/:http");
  EXPECT_EQ(config.tcp_connectors.at(0).host, "127.0.0.1");
  EXPECT_EQ(config.tcp_connectors.at(0).port, 80);
}

TEST(RouterConfig, ReadsTheConfSyntax) {
  const auto config = parse_config(R"(# an example of skrouterd's
router {
   mode: interior   # with others
   id: A
}
listener {
   port: amqp
   max-frame-size: 32768
   openProperties: {
     "a": { "b": 1 }
   }
   authenticatePeer: no
}

address {
   pattern: a/#
}
tcpListener {
   port: 9090
   address: tcp-echo
   name: tcp-echo-listener
}
)",
                                   "skrouterd.conf");
  EXPECT_EQ(config.router.id, "A");
  EXPECT_EQ(config.router.mode, RouterMode::interior);
  EXPECT_EQ(config.listeners.at(0).port, 5672);
  EXPECT_EQ(config.listeners.at(0).connection.max_frame_size, 32'768U);
  EXPECT_EQ(config.tcp_listeners.at(0).name, "tcp-echo-listener");
  EXPECT_EQ(config.tcp_listeners.at(0).address, "tcp-echo");
}

TEST(RouterConfig, TellsWhereTheConfSyntaxIsBroken) {
  const std::map<std::string, std::string> broken{
      {"router {\n id a\n}", "a.conf:2: \"id a\" where an attribute"},
      {"router {\n id: a\n", "a.conf:1: router begins here and doesn't end"},
      {"router {\n}\n}\n", "a.conf:3: \"}\" where the beginning of an entity"},
      {"router {\n id: a\n}\nlistener\n", "a.conf:4: \"listener\" where the beginning of an entity"},
      {"router {\n id: a\n id: b\n}\n", "a.conf:3: /0/1/id: the key \"id\" stands twice"},
      {"router {\n x: {\n } }\n}\n", "a.conf:3"},
      {"router {\n idd: a\n}\n", "a.conf:2: /0/1/idd: \"a\": there is no such attribute"}};
  for (const auto& [text, message] : broken) {
    try {
      parse_config(text, "a.conf");
      ADD_FAILURE() << text << " was accepted";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

/// Attributes that may be set in a config, and their defaults; where there is none, a value that is in order. After
/// python/skupper_router/management/skrouter.json of skupper-router (its descriptions are left out), and of 3.5:
/// site.version, sslProfile.ordinal, connector.proxyProfile, tcpListener.multiAddressStrategy.
const std::map<std::string, std::map<std::string, std::string>> kSchemaOfSkrouterd{
    {"router",
     {{"id", R"("a")"},
      {"vanId", R"("v")"},
      {"mode", R"("standalone")"},
      {"area", "0"},
      {"helloIntervalSeconds", "1"},
      {"helloMaxAgeSeconds", "3"},
      {"raIntervalSeconds", "30"},
      {"raIntervalFluxSeconds", "4"},
      {"remoteLsMaxAgeSeconds", "60"},
      {"workerThreads", "4"},
      {"debugDumpFile", R"("/f")"},
      {"saslConfigDir", R"("/d")"},
      {"saslConfigName", R"("skrouterd")"},
      {"timestampsInUTC", "false"},
      {"timestampFormat", R"("%s")"},
      {"defaultDistribution", R"("balanced")"},
      {"metadata", R"("m")"},
      {"dataConnectionCount", R"("auto")"},
      {"dropTcpConnections", "true"}}},
    {"site",
     {{"location", R"("x")"},
      {"provider", R"("y")"},
      {"platform", R"("podman")"},
      {"namespace", R"("user")"},
      {"version", R"("1.4.2")"}}},
    {"sslProfile",
     {{"ciphers", R"("ALL")"},
      {"protocols", R"("TLSv1.2")"},
      {"caCertFile", R"("/ca")"},
      {"uidFormat", R"("n")"},
      {"uidNameMappingFile", R"("/f")"},
      {"version", "0"},
      {"oldestValidVersion", "0"},
      {"ordinal", "0"},
      {"oldestValidOrdinal", "0"}}},
    {"listener",
     {{"host", R"("")"},
      {"port", R"("amqp")"},
      {"socketAddressFamily", R"("IPv4")"},
      {"role", R"("normal")"},
      {"cost", "1"},
      {"saslMechanisms", R"("ANONYMOUS")"},
      {"authenticatePeer", "false"},
      {"requireEncryption", "false"},
      {"requireSsl", "false"},
      {"maxFrameSize", "16384"},
      {"maxSessions", "32768"},
      {"maxSessionFrames", "640"},
      {"idleTimeoutSeconds", "16"},
      {"initialHandshakeTimeoutSeconds", "0"},
      {"stripAnnotations", R"("both")"},
      {"linkCapacity", "250"},
      {"failoverUrls", R"("amqp://a")"},
      {"healthz", "true"},
      {"metrics", "true"},
      {"websockets", "true"},
      {"http", "false"},
      {"httpRootDir", R"("/usr/share")"},
      {"messageLoggingComponents", R"("none")"},
      {"policyVhost", R"("")"},
      {"openProperties", "{}"}}},
    {"connector",
     {{"host", R"("127.0.0.1")"},
      {"port", R"("amqp")"},
      {"socketAddressFamily", R"("IPv6")"},
      {"role", R"("normal")"},
      {"cost", "1"},
      {"saslMechanisms", R"("ANONYMOUS")"},
      {"allowRedirect", "true"},
      {"maxFrameSize", "16384"},
      {"maxSessions", "32768"},
      {"maxSessionFrames", "640"},
      {"idleTimeoutSeconds", "16"},
      {"stripAnnotations", R"("both")"},
      {"linkCapacity", "250"},
      {"verifyHostname", "true"},
      {"saslUsername", R"("")"},
      {"saslPassword", R"("")"},
      {"messageLoggingComponents", R"("none")"},
      {"policyVhost", R"("")"},
      {"openProperties", "{}"},
      {"proxyProfile", R"("")"}}},
    {"tcpListener",
     {{"address", R"("a")"},
      {"host", R"("0.0.0.0")"},
      {"backlog", "0"},
      {"port", "1"},
      {"siteId", R"("s")"},
      {"sslProfile", R"("")"},
      {"authenticatePeer", "false"},
      {"observer", R"("auto")"},
      {"multiAddressStrategy", R"("none")"}}},
    {"tcpConnector",
     {{"address", R"("a")"},
      {"host", R"("127.0.0.1")"},
      {"port", "1"},
      {"siteId", R"("s")"},
      {"processId", R"("p")"},
      {"sslProfile", R"("")"},
      {"verifyHostname", "true"}}},
    {"log",
     {{"module", R"("DEFAULT")"},
      {"enable", R"("info+")"},
      {"includeTimestamp", "true"},
      {"includeSource", "false"},
      {"outputFile", R"("stderr")"}}},
    {"address", {{"prefix", R"("mc")"}, {"pattern", R"("a/#")"}, {"distribution", R"("balanced")"}, {"priority", "4"}}},
};

TEST(RouterConfig, TakesEveryAttributeOfSkrouterdsSchemaWithItsDefaultInBothSpellings) {
  const auto hyphenated = [](const std::string& name) {
    std::string result;
    for (const char c : name)
      std::isupper(static_cast<unsigned char>(c)) != 0 ? (result += '-') += static_cast<char>(std::tolower(c))
                                                       : result += c;
    return result;
  };
  for (const auto& [type, attributes] : kSchemaOfSkrouterd)
    for (const auto& [name, value] : attributes)
      for (const auto& spelling : {name, name == "timestampsInUTC" ? name : hyphenated(name)}) {
        std::string entity = "[\"" + type + "\", {\"" + spelling + "\": " + value;
        for (const std::string required : {"port", "address", "module"})
          if (required != name && attributes.contains(required) && (type.starts_with("tcp") || type == "log"))
            entity += ", \"" + required + "\": " + attributes.at(required);
        entity += "}]";
        EXPECT_EQ(refusal(type == "router" ? "[" + entity + "]" : with_router(entity)), "accepted") << entity;
      }
}

// Numbers are read one character beyond their end: the line must still be theirs.
TEST(RouterConfig, CountsLinesRightWhereANumberEndsALine) {
  EXPECT_THAT(refusal("[[\"router\",{\"workerThreads\":\n0\n}]]"),
              HasSubstr("a.json:2: /0/1/workerThreads: 0: is out of range, in router"));
  EXPECT_THAT(refusal("[\n5\n]"), HasSubstr("a.json:2: /0: 5: "));
}

TEST(RouterConfig, NeverCrashesOnDamage) {
  const auto whole = with_router(
      R"(["sslProfile", {"name": "s", "caCertFile": "/ca"}], ["listener", {"name": "l", "sslProfile": "s",
      "openProperties": {"a": [1]}, "port": "amqp"}], ["tcpListener", {"name": "t", "port": 1e3, "address": "x"}])");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_NE(refusal(whole.substr(0, cut)), "accepted") << cut;
    for (const char byte : {'\0', '"', '{', ']', ',', '9', '#', '\n', '\xff'}) {
      auto damaged = whole;
      damaged[cut] = byte;
      EXPECT_FALSE(refusal(damaged).empty());
    }
  }
}

}  // namespace
}  // namespace knetsim::skupper
