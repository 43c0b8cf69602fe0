#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <memory>
#include <string>

namespace knetsim::apiserver {

/// Where an API server is, and how whoever asks it proves who it is.
struct Access {
  boost::asio::ip::tcp::endpoint server;
  std::shared_ptr<boost::asio::ssl::context> tls = {};  ///< whom to trust, what is shown; null: plain HTTP
  std::string token = {};                               ///< sent with each request; empty: none
};

/// What a kubeconfig's current context says (YAML or JSON; kubernetes.io/docs/reference/config-api/kubeconfig.v1):
/// server, certificate authority, client certificate and token, in the file or in files beside it. The server is given
/// by its address. Throws InputError naming file, field and remedy.
Access read_kubeconfig(const std::filesystem::path& file);

}  // namespace knetsim::apiserver
