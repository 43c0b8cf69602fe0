#include "knetsim/apiserver/pki.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "knetsim/sys/error.h"
#include "openssl_handles.h"

namespace knetsim::apiserver {

namespace {

constexpr long kMinute = 60;  // seconds
constexpr long kTenYears = 10L * 365 * 24 * 60 * kMinute;

Key new_key() { return must_have(Key(EVP_EC_gen("P-256")), "make a key"); }

std::string pem_of(const Key& key) {
  const auto memory = must_have(Bio(BIO_new(BIO_s_mem())), "allocate");
  must_be_so(PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), "write a key");
  return text_of(memory);
}

std::string pem_of(const Certificate& certificate) {
  const auto memory = must_have(Bio(BIO_new(BIO_s_mem())), "allocate");
  must_be_so(PEM_write_bio_X509(memory.get(), certificate.get()), "write a certificate");
  return text_of(memory);
}

void add_to_name(X509* certificate, const char* field, const std::string& value) {
  must_be_so(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field, MBSTRING_UTF8,
                                        reinterpret_cast<const unsigned char*>(value.data()),
                                        static_cast<int>(value.size()), -1, 0),
             "name a certificate's subject");
}

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const auto extension =
      must_have(Extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str())), "extend a certificate");
  must_be_so(X509_add_ext(certificate, extension.get(), -1), "extend a certificate");
}

/// Of a key: its number and times, and no subject yet.
Certificate blank_certificate(const Key& key) {
  constexpr int kVersion3 = 2;
  constexpr int kSerialBits = 127;
  auto certificate = must_have(Certificate(X509_new()), "allocate");
  const auto number = must_have(BigNumber(BN_new()), "allocate");
  must_be_so(X509_set_version(certificate.get(), kVersion3) == 1 &&
                 BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                 BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get())) != nullptr &&
                 X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kMinute) != nullptr &&
                 X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kTenYears) != nullptr &&
                 X509_set_pubkey(certificate.get(), key.get()) == 1,
             "make a certificate");
  return certificate;
}

}  // namespace

struct Authority::State {
  Key key = new_key();
  Certificate certificate = blank_certificate(key);
  std::string pem = {};

  /// Lets the authority answer for it.
  void sign(X509* subject) const {
    must_be_so(X509_set_issuer_name(subject, X509_get_subject_name(certificate.get())), "name an issuer");
    add_extension(subject, certificate.get(), NID_subject_key_identifier, "hash");
    add_extension(subject, certificate.get(), NID_authority_key_identifier, "keyid:always");
    must_be_so(X509_sign(subject, key.get(), EVP_sha256()), "sign a certificate");
  }

  CertifiedKey certify(const Subject& subject, const char* usage, const std::string& names = {}) const {
    const auto subjects_key = new_key();
    const auto made = blank_certificate(subjects_key);
    for (const auto& group : subject.groups) add_to_name(made.get(), "O", group);
    add_to_name(made.get(), "CN", subject.user);
    add_extension(made.get(), certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
    add_extension(made.get(), certificate.get(), NID_key_usage, "critical,digitalSignature");
    add_extension(made.get(), certificate.get(), NID_ext_key_usage, usage);
    if (!names.empty()) add_extension(made.get(), certificate.get(), NID_subject_alt_name, names);
    sign(made.get());
    return {.certificate = pem_of(made), .key = pem_of(subjects_key)};
  }
};

Authority::Authority(const std::string& name) : state_(std::make_unique<State>()) {
  auto* const own = state_->certificate.get();
  add_to_name(own, "CN", name);
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(own, own, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign");
  state_->sign(own);
  state_->pem = pem_of(state_->certificate);
}

Authority::Authority(Authority&&) noexcept = default;
Authority& Authority::operator=(Authority&&) noexcept = default;
Authority::~Authority() = default;

const std::string& Authority::certificate() const noexcept { return state_->pem; }

CertifiedKey Authority::for_server(const Subject& subject, const std::vector<std::string>& names,
                                   const std::vector<Address>& addresses) const {
  std::string all;
  for (const auto& name : names) all += fmt::format("{}DNS:{}", all.empty() ? "" : ",", name);
  for (const auto& address : addresses) all += fmt::format("{}IP:{}", all.empty() ? "" : ",", address.to_string());
  return state_->certify(subject, "serverAuth", all);
}

CertifiedKey Authority::for_client(const Subject& subject) const { return state_->certify(subject, "clientAuth"); }

std::string new_signing_key() { return pem_of(new_key()); }

std::string new_secret(std::size_t bytes) {
  std::string random(bytes, '\0');
  must_be_so(RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(bytes)), "find random bytes");
  std::string digits;
  for (const char byte : random) digits += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return digits;
}

}  // namespace knetsim::apiserver
