#pragma once

#include <string>
#include <string_view>

namespace knetsim::etcd {

/// Where a member serves its clients.
struct Endpoint {
  std::string host;  ///< an address without brackets, or a name
  std::string port;
  std::string authority() const;  ///< "10.0.0.1:2379", "[fd00::1]:2379"
  std::string url() const { return "http://" + authority(); }
};

/// Parses "http://host[:port][/]", "host[:port]" too; throws InputError naming the text.
Endpoint parse_endpoint(std::string_view text);

}  // namespace knetsim::etcd
