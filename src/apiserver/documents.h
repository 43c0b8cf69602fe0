#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "message.h"

namespace knetsim::apiserver {

/// Discovery, OpenAPI and version: what is the same for all of the server's life. Made when it is first asked for.
class Documents {
 public:
  /// `address`: the server's own, as in "192.0.2.1:6443".
  explicit Documents(std::string address) : address_(std::move(address)) {}

  /// Of the path's words; nullopt if they name no document.
  std::optional<Response> find(const std::vector<std::string>& words, const Request& request);

 private:
  struct Text {
    std::string body;
    std::string etag;
  };
  template <typename Make>
  const Text& text(const std::string& key, Make make);
  Response aggregated(bool core, const std::string& version, const Request& request);
  std::optional<Response> openapi(const std::vector<std::string>& words, const Request& request);

  std::string address_;
  std::map<std::string, Text> texts_;
};

}  // namespace knetsim::apiserver
