#include "knetsim/skupper/version.h"

namespace knetsim::skupper {

std::string version() { return KNETSIM_VERSION; }

}  // namespace knetsim::skupper
