#include "continue_token.h"

#include <fmt/format.h>

#include <boost/beast/core/detail/base64.hpp>
#include <nlohmann/json.hpp>

#include "knetsim/kube/status.h"
#include "knetsim/sys/json_place.h"

namespace knetsim::apiserver {

namespace base64 = boost::beast::detail::base64;

namespace {

constexpr std::size_t kLongest = 4'096;

kube::ApiError no_token(std::string_view why) {
  return kube::bad_request(fmt::format("invalid continue token: continue key is not valid: {}", why));
}

}  // namespace

std::string continue_token(const ContinueToken& token) {
  const auto text = nlohmann::json{{"v", "meta.k8s.io/v1"}, {"rv", token.revision}, {"start", token.start}}.dump();
  std::string encoded(base64::encoded_size(text.size()), '\0');
  encoded.resize(base64::encode(encoded.data(), text.data(), text.size()));
  // The alphabet for URLs, without padding.
  while (encoded.ends_with('=')) encoded.pop_back();
  std::replace(encoded.begin(), encoded.end(), '+', '-');
  std::replace(encoded.begin(), encoded.end(), '/', '_');
  return encoded;
}

ContinueToken read_continue_token(std::string_view text) {
  if (text.size() > kLongest) throw no_token("it is too long");
  std::string encoded(text);
  std::replace(encoded.begin(), encoded.end(), '-', '+');
  std::replace(encoded.begin(), encoded.end(), '_', '/');
  std::string decoded(base64::decoded_size(encoded.size() + 3), '\0');
  decoded.resize(base64::decode(decoded.data(), encoded.data(), encoded.size()).first);
  try {
    const JsonDocument document{.value = parse_json(decoded, {.remedies = false}), .source = {}, .rules = {}};
    const JsonPlace place(document);
    if (place["v"].string() != "meta.k8s.io/v1") place["v"].refuse("isn't meta.k8s.io/v1");
    return {place["rv"].integer<etcd::Revision>(1, 1LL << 62), place["start"].string()};
  } catch (const InputError& error) {
    throw no_token(error.what());
  }
}

}  // namespace knetsim::apiserver
