#include "version.h"

namespace knetsim::cli {

std::string_view version() { return KNETSIM_VERSION; }

}  // namespace knetsim::cli
