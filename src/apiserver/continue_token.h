#pragma once

#include <string>
#include <string_view>

#include "knetsim/etcd/types.h"

namespace knetsim::apiserver {

/// Where a list goes on, as upstream writes it: base64 of {"v": "meta.k8s.io/v1", "rv": 196, "start": "lit\u0000"}.
struct ContinueToken {
  etcd::Revision revision = 0;
  std::string start;  ///< the first key that may follow, without the namespace of the request
};

std::string continue_token(const ContinueToken& token);
/// Throws ApiError 400.
ContinueToken read_continue_token(std::string_view text);

}  // namespace knetsim::apiserver
