#pragma once

#include <string>
#include <string_view>

namespace knetsim::etcd {

/// Where a member serves its clients.
struct Endpoint {
  std::string host;  ///< an address without brackets, or a name
  std::string port;
  bool secure = false;            ///< https
  std::string authority() const;  ///< "10.0.0.1:2379", "[fd00::1]:2379"
  std::string url() const { return (secure ? "https://" : "http://") + authority(); }
};

/// Parses "http[s]://host[:port][/]", "host[:port]" too; throws InputError naming the text.
Endpoint parse_endpoint(std::string_view text);

}  // namespace knetsim::etcd
