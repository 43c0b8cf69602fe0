#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace knetsim::kube {

/// A resource.Quantity as the server shows it: "0.5" -> "500m", "1024Mi" -> "1Gi", "2" -> "2". Nullopt for what is
/// none. Source: k8s.io/apimachinery/pkg/api/resource.
std::optional<std::string> canonical_quantity(std::string_view text);

/// Where standard base64 (RFC 4648, padded) is broken; nullopt if it is whole. Ends of lines count for nothing, as with
/// Go's encoding/base64.
std::optional<std::size_t> base64_error(std::string_view text);

}  // namespace knetsim::kube
