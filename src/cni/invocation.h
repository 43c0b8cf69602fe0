#pragma once

#include <exception>
#include <nlohmann/json.hpp>
#include <string>

#include "knetsim/cni/runtime.h"
#include "knetsim/sys/netns.h"

namespace knetsim::cni {

/// A second handle of the same namespace, so that its owner may be moved.
inline NetNs duplicate(const NetNs& ns) { return NetNs::open("/proc/thread-self/fd/" + std::to_string(ns.fd().get())); }

enum class Verb { add, del, check, status, gc, version };

/// As CNI_COMMAND spells it.
std::string to_string(Verb verb);

/// Throws InputError unless the ids are such as the specification allows; they become parts of paths.
void validate(const Attachment& attachment);

/// Runs plugin `type` once (CNI 1.1.0, section 2) in the worker's namespace with `config` on its stdin, and returns
/// what it printed, null if the verb has no answer. `attachment` is for those verbs that are about one. Throws Error in
/// every other case than success.
nlohmann::json invoke(const NetNs& worker, const RuntimeOptions& options, Verb verb, const Attachment& attachment,
                      const std::string& type, const nlohmann::json& config);

/// "C0w1: can't ADD container c1 (eth0) with the plugin bridge: …"
Error make_error(const std::string& node, Verb verb, const Attachment& attachment, const std::string& who,
                 const Failure& failure, const std::string& remedy = {});

/// For a network whose version has no CHECK.
Error no_check(const std::string& node, const Attachment& attachment, const std::string& network,
               const std::string& version);

/// For steps of which each gets its chance, whatever those before it met; the first failure is the one that is told.
class FirstFailure {
 public:
  template <typename F>
  void attempt(F&& step) {
    try {
      step();
    } catch (const knetsim::Error&) {
      if (!first_) first_ = std::current_exception();
    }
  }
  /// Throws it if there was one.
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::exception_ptr first_;
};

}  // namespace knetsim::cni
