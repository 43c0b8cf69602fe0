#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace knetsim::apiserver {

/// JSON web tokens, signed on P-256 (RFC 7515, RFC 7519, ES256).
class TokenKey {
 public:
  /// `pem`: a private key. Throws InputError if it is none, or one of another curve.
  explicit TokenKey(const std::string& pem);
  TokenKey(TokenKey&&) noexcept;
  ~TokenKey();

  std::string sign(const nlohmann::json& claims) const;
  /// The claims; nullopt if it isn't a token, or not one that this key has signed. Whether it is still good is the
  /// caller's to see.
  std::optional<nlohmann::json> verify(std::string_view token) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace knetsim::apiserver
