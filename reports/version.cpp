#include "version.h"

namespace knetsim::report {

std::string_view version() { return KNETSIM_VERSION; }

}  // namespace knetsim::report
