#pragma once

#include <memory>
#include <string>
#include <vector>

#include "knetsim/sys/network.h"

namespace knetsim::apiserver {

/// A private key and what is certified of it; both in PEM.
struct CertifiedKey {
  std::string certificate;
  std::string key;
};

/// Whom a certificate speaks for: the common name is a user, the organizations are its groups.
struct Subject {
  std::string user;
  std::vector<std::string> groups = {};
};

/// A certificate authority of its own, as a cluster has one. Keys are on the curve P-256, which are made in no time;
/// certificates are good for ten years. Its own key never leaves it. Throws Error with OpenSSL's words. Move-only.
class Authority {
 public:
  explicit Authority(const std::string& name);
  Authority(Authority&&) noexcept;
  Authority& operator=(Authority&&) noexcept;
  ~Authority();

  /// In PEM: whom to trust.
  const std::string& certificate() const noexcept;
  /// For a server that is called by these names and addresses.
  CertifiedKey for_server(const Subject& subject, const std::vector<std::string>& names,
                          const std::vector<Address>& addresses) const;
  CertifiedKey for_client(const Subject& subject) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A private key in PEM, on P-256, for service accounts' tokens.
std::string new_signing_key();

/// As many random bytes, in hexadecimal digits: what nobody guesses.
std::string new_secret(std::size_t bytes = 16);

}  // namespace knetsim::apiserver
