#include "only_lab.h"

#include "knetsim/sys/error.h"
#include "text.h"

namespace knetsim::cli {

std::string only_lab(const StateDirectory& labs) {
  const auto names = labs.names();
  if (names.empty()) throw InputError("no lab stands here\n  remedy: knetsim up starts one");
  if (names.size() > 1)
    throw InputError("which lab? " + count_of(names.size(), "lab") + " stand\n  remedy: name one of " +
                     join(names, ", "));
  return names.front();
}

}  // namespace knetsim::cli
