#include "authentication.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/uuid/uuid_generators.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <chrono>
#include <sstream>

#include "body.h"
#include "knetsim/kube/access.h"
#include "knetsim/kube/kinds.h"
#include "knetsim/kube/status.h"
#include "knetsim/kube/time.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/json_place.h"
#include "now.h"

namespace knetsim::apiserver {

using nlohmann::json;

namespace {

constexpr const char* kIssuer = "https://kubernetes.default.svc";
constexpr std::int64_t kUsualLife = 3'600;         // seconds
constexpr std::int64_t kShortestLife = 600;        // seconds
constexpr std::int64_t kLongestLife = 1LL << 32U;  // seconds

std::string content_of(std::string_view flag, const std::filesystem::path& file) {
  try {
    return read_file(file);
  } catch (const SystemError& error) {
    throw InputError(fmt::format("{} {}: {}", flag, file.string(), error.what()));
  }
}

/// Of lines "token,user,uid" (CSV); what comes after the token is for people.
std::vector<std::string> tokens_in(const std::filesystem::path& file) {
  constexpr std::size_t kShortest = 16;  // characters
  std::vector<std::string> tokens;
  std::istringstream lines(content_of("--token-auth-file", file));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    const auto comma = line.find(',');
    if (comma == std::string::npos || comma < kShortest)
      throw InputError(fmt::format("--token-auth-file {}:{}: give TOKEN,USER,UID, the token of {} characters at least",
                                   file.string(), number, kShortest));
    tokens.push_back(line.substr(0, comma));
  }
  return tokens;
}

struct TokenWish {
  std::vector<std::string> audiences;
  std::int64_t seconds = kUsualLife;
  std::string pod;
  std::string pod_uid;
};

[[noreturn]] void refuse_life(const std::string& account, std::int64_t seconds, const char* why) {
  const auto message = fmt::format("Invalid value: {}: {}", seconds, why);
  throw kube::ApiError(
      422, "Invalid",
      fmt::format("TokenRequest.authentication.k8s.io \"{}\" is invalid: spec.expirationSeconds: {}", account, message),
      {{"name", account},
       {"group", "authentication.k8s.io"},
       {"kind", "TokenRequest"},
       {"causes", {{{"reason", "FieldValueInvalid"}, {"message", message}, {"field", "spec.expirationSeconds"}}}}});
}

TokenWish wish_in(const std::string& account, const Request& request) {
  const JsonDocument document{
      .value = read_token_request(request), .source = {}, .rules = {.null_is_absent = true, .remedies = false}};
  TokenWish wish;
  try {
    const JsonPlace whole(document);
    const auto spec = whole.find("spec");
    if (!spec) return wish;
    for (const auto& audience : spec->each("audiences", &JsonPlace::string)) wish.audiences.push_back(audience);
    if (const auto seconds = spec->find("expirationSeconds")) wish.seconds = seconds->integer<std::int64_t>();
    if (const auto bound = spec->find("boundObjectRef")) {
      if ((*bound)["kind"].string() != "Pod")
        bound->refuse_member("kind", "isn't Pod, the only one that is known here");
      wish.pod = (*bound)["name"].string();
      bound->take("uid", wish.pod_uid, &JsonPlace::string);
    }
  } catch (const InputError& error) {
    throw kube::bad_request(std::string("TokenRequest: ") + error.what());
  }
  if (wish.seconds < kShortestLife)
    refuse_life(account, wish.seconds, "may not specify a duration less than 10 minutes");
  if (wish.seconds > kLongestLife)
    refuse_life(account, wish.seconds, "may not specify a duration larger than 2^32 seconds");
  return wish;
}

std::int64_t seconds_since_1970(kube::Time time) { return time.time_since_epoch().count(); }

}  // namespace

Authentication::Authentication(const Cache& cache, const ServerOptions& options) : cache_(&cache) {
  if (!options.token_auth_file.empty()) tokens_ = tokens_in(options.token_auth_file);
  if (options.service_account_key_file.empty()) return;
  constexpr const char* kFlag = "--service-account-signing-key-file";
  try {
    key_.emplace(content_of(kFlag, options.service_account_key_file));
  } catch (const InputError& error) {
    throw InputError(fmt::format("{} {}: {}", kFlag, options.service_account_key_file.string(), error.what()));
  }
}

bool Authentication::accepts(std::string_view authorization) const {
  constexpr std::string_view kBearer = "Bearer ";
  if (!boost::algorithm::istarts_with(authorization, kBearer)) return false;
  const auto token = authorization.substr(kBearer.size());
  // All of them are looked at, each in a time that tells nothing.
  const auto same = [&](const std::string& one) {
    return one.size() == token.size() && CRYPTO_memcmp(one.data(), token.data(), token.size()) == 0;
  };
  if (std::ranges::count_if(tokens_, same) > 0) return true;
  if (!key_) return false;
  const auto claims = key_->verify(token);
  return claims && is_good(*claims);
}

bool Authentication::is_there(std::string_view plural, const json& place, const std::string& ns) const {
  const auto& kind = kube::must_be(plural);
  const auto found = cache_->find(kind, cache_key(ns, kube::text_at(place, "name")));
  return found && found->problem.empty() &&
         kube::text_at(object_of(kind, *found), "metadata", "uid") == kube::text_at(place, "uid");
}

bool Authentication::is_good(const json& claims) const {
  const auto at = seconds_since_1970(now());
  const auto& audiences = kube::list_at(claims, "aud");
  if (kube::text_at(claims, "iss") != kIssuer || kube::number_at(claims, "exp") <= at ||
      kube::number_at(claims, "nbf") > at || std::ranges::find(audiences, json(kIssuer)) == audiences.end())
    return false;
  // A token ends with its account, and with its pod.
  const auto& own = kube::member(claims, "kubernetes.io");
  const auto& ns = kube::text_at(own, "namespace");
  const auto& pod = kube::member(own, "pod");
  return is_there("serviceaccounts", kube::member(own, "serviceaccount"), ns) &&
         (pod.is_null() || is_there("pods", pod, ns));
}

Response Authentication::issue(const Target& target, const Request& request) const {
  const auto account = cache_->find(*target.kind, cache_key(target.ns, target.name));
  if (!account) throw kube::not_found(*target.kind, target.name);
  if (!key_)
    throw kube::plain_failure(501, "this server gives no tokens: it has no --service-account-signing-key-file");
  auto wish = wish_in(target.name, request);
  if (wish.audiences.empty()) wish.audiences.emplace_back(kIssuer);
  json own{{"namespace", target.ns},
           {"serviceaccount",
            {{"name", target.name}, {"uid", kube::text_at(object_of(*target.kind, *account), "metadata", "uid")}}}};
  json bound;
  if (!wish.pod.empty()) {
    const auto& pods = kube::must_be("pods");
    const auto pod = cache_->find(pods, cache_key(target.ns, wish.pod));
    if (!pod) throw kube::not_found(pods, wish.pod);
    const auto uid = kube::text_at(object_of(pods, *pod), "metadata", "uid");
    if (!wish.pod_uid.empty() && wish.pod_uid != uid)
      throw kube::ApiError(409, "Conflict",
                           fmt::format("the UID in the bound object reference ({}) does not match the UID in record. "
                                       "The object might have been deleted and then recreated",
                                       wish.pod_uid));
    own["pod"] = {{"name", wish.pod}, {"uid", uid}};
    bound = {{"kind", "Pod"}, {"apiVersion", "v1"}, {"name", wish.pod}, {"uid", uid}};
  }
  const auto from = now();
  const auto to = from + std::chrono::seconds(wish.seconds);
  const auto token = key_->sign({{"iss", kIssuer},
                                 {"sub", fmt::format("system:serviceaccount:{}:{}", target.ns, target.name)},
                                 {"aud", wish.audiences},
                                 {"iat", seconds_since_1970(from)},
                                 {"nbf", seconds_since_1970(from)},
                                 {"exp", seconds_since_1970(to)},
                                 {"jti", boost::uuids::to_string(boost::uuids::random_generator()())},
                                 {"kubernetes.io", own}});
  const json answer{
      {"kind", "TokenRequest"},
      {"apiVersion", "authentication.k8s.io/v1"},
      {"metadata", {{"name", target.name}, {"namespace", target.ns}, {"creationTimestamp", kube::timestamp(from)}}},
      {"spec", {{"audiences", wish.audiences}, {"expirationSeconds", wish.seconds}, {"boundObjectRef", bound}}},
      {"status", {{"token", token}, {"expirationTimestamp", kube::timestamp(to)}}}};
  return {.status = 201, .body = answer.dump() + "\n"};
}

bool is_public(std::string_view path) {
  constexpr std::array<std::string_view, 4> kOpen{"/healthz", "/livez", "/readyz", "/version"};
  return std::ranges::find(kOpen, path) != kOpen.end();
}

}  // namespace knetsim::apiserver
