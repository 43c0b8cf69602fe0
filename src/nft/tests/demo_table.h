#pragma once

#include "knetsim/nft/types.h"

namespace knetsim::nft {

/// The table that every test fills.
inline const TableId kTable{Family::ip, "demo"};

}  // namespace knetsim::nft
