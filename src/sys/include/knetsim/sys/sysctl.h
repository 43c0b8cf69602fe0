#pragma once

#include <string>
#include <string_view>

namespace knetsim {

/// Reads and writes /proc/sys/<name> with dots or slashes ("net.ipv4.ip_forward"), for the calling thread's
/// namespaces: wrap it in NetNs::run.
std::string read_sysctl(std::string_view name);
void write_sysctl(std::string_view name, std::string_view value);

}  // namespace knetsim
