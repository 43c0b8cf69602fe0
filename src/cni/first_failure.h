#pragma once

#include <exception>

#include "knetsim/sys/error.h"

namespace knetsim::cni {

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
