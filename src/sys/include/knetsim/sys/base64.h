#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace knetsim {

/// RFC 4648 section 4, with padding: the form of bytes in proto3's JSON mapping.
std::string base64_encode(std::string_view bytes);
/// nullopt if `text` isn't such a form.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace knetsim
