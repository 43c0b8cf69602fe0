#include "tokens.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>

#include "knetsim/sys/base64.h"
#include "knetsim/sys/json.h"
#include "openssl_handles.h"

namespace knetsim::apiserver {

using nlohmann::json;

namespace {

constexpr int kNumberSize = 32;  // bytes of r, and of s
constexpr std::size_t kLongestToken = 16 << 10;

/// RFC 4648 section 5, without padding.
std::string base64url(std::string_view bytes) {
  auto text = base64_encode(bytes);
  text.erase(std::min(text.find('='), text.size()));
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string plain(text);
  if (plain.find_first_of("+/=") != std::string::npos) return std::nullopt;
  std::ranges::replace(plain, '-', '+');
  std::ranges::replace(plain, '_', '/');
  constexpr std::size_t kGroup = 4;
  while (plain.size() % kGroup != 0) plain += '=';
  return base64_decode(plain);
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

/// JSON Web Signatures hold r and s side by side, where OpenSSL wants them in DER.
std::string plain_signature(const std::string& der) {
  const auto* at = bytes_of(der);
  const auto signature =
      must_have(EcSignature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()))), "read a signature");
  std::string plain(2 * std::size_t{kNumberSize}, '\0');
  auto* const bytes = reinterpret_cast<unsigned char*>(plain.data());
  must_be_so(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), bytes, kNumberSize) == kNumberSize &&
                 BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), bytes + kNumberSize, kNumberSize) == kNumberSize,
             "write a signature");
  return plain;
}

std::string der_signature(std::string_view plain) {
  auto signature = must_have(EcSignature(ECDSA_SIG_new()), "allocate");
  auto r = must_have(BigNumber(BN_bin2bn(bytes_of(plain), kNumberSize, nullptr)), "allocate");
  auto s = must_have(BigNumber(BN_bin2bn(bytes_of(plain.substr(kNumberSize)), kNumberSize, nullptr)), "allocate");
  must_be_so(ECDSA_SIG_set0(signature.get(), r.release(), s.release()), "read a signature");
  unsigned char* bytes = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &bytes);
  must_be_so(size, "read a signature");
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

bool is_p256(const Key& key) {
  std::array<char, 64> group{};
  return EVP_PKEY_get_utf8_string_param(key.get(), OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(), nullptr) ==
             1 &&
         std::string_view(group.data()) == "prime256v1";
}

}  // namespace

struct TokenKey::State {
  Key key;
};

TokenKey::TokenKey(const std::string& pem) : state_(std::make_unique<State>()) {
  const auto memory = must_have(Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))), "allocate");
  state_->key.reset(PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!state_->key || !is_p256(state_->key))
    throw InputError(
        "the signing key isn't a private key on P-256 in PEM\n  remedy: openssl genpkey -algorithm EC -pkeyopt "
        "ec_paramgen_curve:P-256");
}

TokenKey::TokenKey(TokenKey&&) noexcept = default;
TokenKey::~TokenKey() = default;

std::string TokenKey::sign(const json& claims) const {
  const auto text = base64url(R"({"alg":"ES256","typ":"JWT"})") + "." + base64url(claims.dump());
  const auto digest = must_have(Digest(EVP_MD_CTX_new()), "allocate");
  std::size_t size = 0;
  must_be_so(EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, state_->key.get()), "sign a token");
  must_be_so(EVP_DigestSign(digest.get(), nullptr, &size, bytes_of(text), text.size()), "sign a token");
  std::string der(size, '\0');
  must_be_so(
      EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(der.data()), &size, bytes_of(text), text.size()),
      "sign a token");
  der.resize(size);
  return text + "." + base64url(plain_signature(der));
}

std::optional<json> TokenKey::verify(std::string_view token) const {
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (token.size() > kLongestToken || first == std::string_view::npos || first == last) return std::nullopt;
  const auto header = from_base64url(token.substr(0, first));
  const auto claims = from_base64url(token.substr(first + 1, last - first - 1));
  const auto signature = from_base64url(token.substr(last + 1));
  if (!header || !claims || !signature || signature->size() != 2 * std::size_t{kNumberSize}) return std::nullopt;
  const auto text = token.substr(0, last);
  const auto der = der_signature(*signature);
  const auto digest = must_have(Digest(EVP_MD_CTX_new()), "allocate");
  must_be_so(EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, state_->key.get()), "verify a token");
  const bool good = EVP_DigestVerify(digest.get(), bytes_of(der), der.size(), bytes_of(text), text.size()) == 1;
  ERR_clear_error();
  if (!good) return std::nullopt;
  try {
    if (parse_json(*header).value("alg", "") != "ES256") return std::nullopt;
    return parse_json(*claims);
  } catch (const std::exception&) {  // signed by us, and yet no JSON
    return std::nullopt;
  }
}

}  // namespace knetsim::apiserver
