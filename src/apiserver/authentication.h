#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache.h"
#include "knetsim/apiserver/options.h"
#include "message.h"
#include "target.h"
#include "tokens.h"

namespace knetsim::apiserver {

/// Who may ask over TLS, as kube-apiserver finds it out: whoever holds a token of --token-auth-file, or one that this
/// server has given to a service account, or (http_connection.h) a certificate of --client-ca-file. There are no roles.
class Authentication {
 public:
  /// Reads the files. Throws InputError naming flag and file.
  Authentication(const Cache& cache, const ServerOptions& options);

  /// `authorization`: of the request's header; "Bearer eyJhb...".
  bool accepts(std::string_view authorization) const;
  /// Subresource token of a service account: a TokenRequest (authentication.k8s.io/v1) is answered. Throws ApiError.
  Response issue(const Target& target, const Request& request) const;

 private:
  bool is_good(const nlohmann::json& claims) const;
  bool is_there(std::string_view plural, const nlohmann::json& place, const std::string& ns) const;

  const Cache* cache_;
  std::vector<std::string> tokens_;
  std::optional<TokenKey> key_;
};

/// What is open to everybody, as the role system:public-info-viewer has it: health and version.
bool is_public(std::string_view path);

}  // namespace knetsim::apiserver
