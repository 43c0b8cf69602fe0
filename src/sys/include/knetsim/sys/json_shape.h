#pragma once

#include <string>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim {

/// parse_json()'s refusal of what can be read, and isn't to be: nested too deep, a key that stands twice.
class JsonShapeError : public InputError {
 public:
  JsonShapeError(const std::string& text, std::string pointer, std::string problem)
      : InputError(text), pointer_(std::move(pointer)), problem_(std::move(problem)) {}
  const std::string& pointer() const noexcept { return pointer_; }  ///< RFC 6901, cut if it is very long
  const std::string& problem() const noexcept { return problem_; }

 private:
  std::string pointer_;
  std::string problem_;
};

}  // namespace knetsim
