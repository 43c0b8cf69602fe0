#pragma once

#include "view.h"

namespace knetsim::controllers {

// What of a node decides which pods may be there. In scheduler.cpp.

bool tolerates(const json& pod, const json& taint);
/// By the pod's nodeSelector and required node affinity.
bool node_is_selected(const json& pod, const json& node);
/// All of a node that decides; null for null.
json placement_part(const json* node);

}  // namespace knetsim::controllers
