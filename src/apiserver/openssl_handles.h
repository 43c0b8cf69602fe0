#pragma once

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "knetsim/sys/error.h"

namespace knetsim::apiserver {

/// OpenSSL's objects, freed with their owners.
template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

/// Throws Error with OpenSSL's words unless it is so.
inline void must_be_so(bool good, std::string_view tried) {
  if (good) return;
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  throw Error(fmt::format("can't {}: OpenSSL says {}", tried, reason != nullptr ? reason : "nothing"));
}
inline void must_be_so(int result, std::string_view tried) { must_be_so(result > 0, tried); }

template <typename Handle>
Handle must_have(Handle handle, std::string_view tried) {
  must_be_so(handle != nullptr, tried);
  return handle;
}

/// What was written to memory.
inline std::string text_of(const Bio& memory) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace knetsim::apiserver
