#pragma once

#include <string>
#include <string_view>

namespace knetsim::kube {

/// What Go's encoding/json says of a text that isn't JSON, with an excerpt of it, as upstream's answers have it:
/// "invalid character 'n' looking for beginning of object key string ({nope)".
std::string go_json_error(std::string_view text);

}  // namespace knetsim::kube
