#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "knetsim/emulator/emulation.h"

namespace knetsim::cli::shell {

/// `explain FROM TO [-v|--json|--dry]`: what it is to tell, at the prompt and to visitors alike.
struct ToExplain {
  std::string from;
  std::string to;  ///< "C0w2/c2:80/tcp"
  bool verbose = false;
  bool json = false;
  bool dry = false;
};

/// What is printed, and how the line ends: kDone delivered (or nothing is in the way, if dry), kFailed lost,
/// kNotUnderstood it couldn't be looked at.
struct Explained {
  std::string text;
  int code;
};

/// Throws InputError for names that there aren't. `stop` is asked in between.
Explained explain_to_person(Emulation& emulation, const ToExplain& what, const std::function<bool()>& stop);

/// Of what a check finds unreachable, so many are explained, the first ones: most of it has one cause.
inline constexpr std::size_t kExplainedOfCheck = 3;

/// The verdict on an echo request, with the remedy, on one line.
std::string reason_in_short(Emulation& emulation, const Node& from, const Address& to,
                            const std::function<bool()>& stop);

}  // namespace knetsim::cli::shell
