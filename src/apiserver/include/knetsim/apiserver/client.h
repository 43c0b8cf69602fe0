#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "knetsim/sys/network.h"

namespace knetsim::apiserver {

/// What a server answered.
struct Answer {
  unsigned status = 0;  ///< HTTP's
  nlohmann::json body;  ///< null if it was no JSON
  bool good() const noexcept { return status / 100 == 2; }
  /// The message of its Status, else its status.
  std::string complaint() const;
};

/// Asks an API server in plain HTTP, one question after the other on a connection that is kept for a while. Blocks; a
/// connection is of the network namespace of the thread that asked when it was made. Move-only.
class Client {
 public:
  Client(Address address, std::uint16_t port);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// Throws Error if there is no answer within 10 s. `type` is that of the body, which is left out if it is null.
  Answer ask(const std::string& method, const std::string& target, const nlohmann::json& body = {},
             const std::string& type = "application/json");
  /// The same; throws Error with the server's words unless the answer is good or `allowed`.
  Answer must(const std::string& method, const std::string& target, const nlohmann::json& body = {},
              const std::string& type = "application/json", unsigned allowed = 0);

 private:
  struct Connection;
  std::string authority_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace knetsim::apiserver
