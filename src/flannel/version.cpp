#include "knetsim/flannel/version.h"

namespace knetsim::flannel {

std::string version() { return "knetsim-flanneld " KNETSIM_VERSION; }

}  // namespace knetsim::flannel
