#pragma once

#include <string>

#include "knetsim/etcd/error.h"
#include "transport.h"
#include "wire.h"

namespace knetsim::etcd {

/// "http://10.0.0.1:2379: can't call /v3/kv/put: <answer>"
Diagnosis diagnose(const std::string& endpoint, const std::string& target, std::string answer);

/// The JSON object of a good answer. Throws Error for any other, Unavailable if the endpoint says that it is.
JsonDocument good_answer(const Answer& answer, const std::string& target);

/// Runs a reader of wire.h; what it finds malformed becomes an Error naming the endpoint and the call.
template <typename F>
auto read_answer(const std::string& endpoint, const std::string& target, F&& reader) {
  try {
    return reader();
  } catch (const InputError& malformed) {
    throw Error(Error::Code::other,
                diagnose(endpoint, target, std::string("an answer that isn't etcd's: ") + malformed.what()));
  }
}

}  // namespace knetsim::etcd
