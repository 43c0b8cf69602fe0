#include "schema.h"

#include <limits>

namespace knetsim::skupper {

namespace {

constexpr std::int64_t kMany = std::numeric_limits<std::int32_t>::max();

AttributeRule text(std::string_view name) { return {.name = name}; }
AttributeRule required_text(std::string_view name) { return {.name = name, .required = true}; }
AttributeRule boolean(std::string_view name) { return {.name = name, .kind = Kind::boolean}; }
AttributeRule number(std::string_view name, std::int64_t min, std::int64_t max) {
  return {.name = name, .kind = Kind::number, .min = min, .max = max};
}
AttributeRule port(std::int64_t min, bool required) {
  return {.name = "port", .kind = Kind::port, .required = required, .min = min, .max = 65'535};
}
AttributeRule choice(std::string_view name, std::vector<std::string_view> choices) {
  return {.name = name, .kind = Kind::choice, .choices = std::move(choices)};
}
AttributeRule no_effect(AttributeRule rule) {
  rule.use = Use::no_effect;
  return rule;
}
AttributeRule unsupported(AttributeRule rule, std::string_view harmless) {
  rule.use = Use::unsupported;
  rule.harmless = harmless;
  return rule;
}

/// What listeners and connectors have in common.
std::vector<AttributeRule> connection(std::vector<AttributeRule> more) {
  std::vector<AttributeRule> rules{
      text("host"),
      choice("role", {"normal", "inter-router", "edge"}),
      number("cost", 1, kMany),
      number("maxFrameSize", 512, kMany),
      number("maxSessionFrames", 2, kMany),
      number("idleTimeoutSeconds", 0, 1'000'000),
      text("sslProfile"),
      text("saslMechanisms"),
      number("maxSessions", 0, 32'768),
      no_effect(number("linkCapacity", 0, kMany)),
      no_effect(choice("socketAddressFamily", {"IPv4", "IPv6"})),
      no_effect(choice("stripAnnotations", {"in", "out", "both", "no"})),
      no_effect(text("failoverUrls")),
      no_effect(text("messageLoggingComponents")),
      no_effect({.name = "openProperties", .kind = Kind::anything}),
      unsupported(text("policyVhost"), ""),
  };
  rules.insert(rules.end(), more.begin(), more.end());
  return rules;
}

std::vector<EntityRule> make_schema() {
  return {
      {.type = "router",
       .attributes = {text("id"),
                      choice("mode", {"standalone", "interior", "edge"}),
                      number("helloIntervalSeconds", 1, kMany),
                      number("helloMaxAgeSeconds", 1, kMany),
                      number("raIntervalSeconds", 1, kMany),
                      number("raIntervalFluxSeconds", 1, kMany),
                      number("remoteLsMaxAgeSeconds", 1, kMany),
                      number("workerThreads", 1, 1'024),
                      {.name = "dataConnectionCount", .kind = Kind::number_or_auto, .max = 1'024},
                      text("metadata"),
                      no_effect(text("name")),
                      no_effect(text("area")),
                      no_effect(text("vanId")),
                      no_effect(text("debugDumpFile")),
                      no_effect(text("saslConfigDir")),
                      no_effect(text("saslConfigName")),
                      no_effect(boolean("timestampsInUTC")),
                      no_effect(text("timestampFormat")),
                      no_effect(choice("defaultDistribution", {"multicast", "closest", "balanced", "unavailable"})),
                      no_effect(boolean("dropTcpConnections")),
                      no_effect(number("unreachableHoldoffSeconds", 0, kMany)),
                      no_effect(boolean("allowUnsettledMulticast")),
                      no_effect(boolean("allowResumableLinkRoute"))}},
      {.type = "listener",
       .named = true,
       .attributes = connection({port(0, false), boolean("authenticatePeer"), boolean("requireSsl"), boolean("http"),
                                 boolean("healthz"), boolean("metrics"), no_effect(text("httpRootDir")),
                                 no_effect(boolean("websockets")), number("initialHandshakeTimeoutSeconds", 0, kMany),
                                 unsupported(boolean("requireEncryption"), "false")})},
      {.type = "connector",
       .named = true,
       .attributes = connection({port(1, false), boolean("verifyHostname"), no_effect(boolean("allowRedirect")),
                                 unsupported(text("saslUsername"), ""), unsupported(text("saslPassword"), ""),
                                 unsupported(text("proxyProfile"), "")})},
      {.type = "tcpListener",
       .named = true,
       .attributes = {text("host"), port(0, true), required_text("address"), text("siteId"),
                      number("backlog", 0, kMany), no_effect(choice("observer", {"none", "auto", "http1", "http2"})),
                      unsupported(text("sslProfile"), ""), unsupported(boolean("authenticatePeer"), "false"),
                      unsupported(choice("multiAddressStrategy", {"none", "priority", "weighted"}), "none")}},
      {.type = "tcpConnector",
       .named = true,
       .attributes = {text("host"), port(1, true), required_text("address"), text("siteId"),
                      no_effect(text("processId")), no_effect(boolean("verifyHostname")),
                      unsupported(text("sslProfile"), "")}},
      {.type = "sslProfile",
       .named = true,
       .attributes = {text("caCertFile"), text("certFile"), text("privateKeyFile"), text("ciphers"), text("protocols"),
                      unsupported(text("password"), ""), no_effect(text("uidFormat")),
                      no_effect(text("uidNameMappingFile")), no_effect(number("version", 0, kMany)),
                      no_effect(number("ordinal", 0, kMany)), no_effect(number("oldestValidVersion", 0, kMany)),
                      no_effect(number("oldestValidOrdinal", 0, kMany))}},
      {.type = "address",
       .attributes = {no_effect(text("name")), no_effect(text("prefix")), no_effect(text("pattern")),
                      no_effect(choice("distribution", {"multicast", "closest", "balanced", "unavailable"})),
                      no_effect(number("priority", 0, 9)), no_effect(boolean("waypoint")),
                      no_effect(boolean("enableFallback")), no_effect(number("ingressPhase", 0, 9)),
                      no_effect(number("egressPhase", 0, 9))}},
      {.type = "site",
       .attributes = {no_effect(text("name")), no_effect(text("location")), no_effect(text("provider")),
                      no_effect(text("platform")), no_effect(text("namespace")), no_effect(text("version"))}},
      {.type = "log",
       .attributes = {no_effect(text("name")), required_text("module"), text("enable"),
                      no_effect(boolean("includeTimestamp")), no_effect(boolean("includeSource")),
                      no_effect(text("outputFile"))}},
  };
}

}  // namespace

const std::vector<EntityRule>& schema() {
  static const auto rules = make_schema();
  return rules;
}

}  // namespace knetsim::skupper
