#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/kube/allocate.h"
#include "knetsim/sys/network.h"

namespace knetsim::apiserver {

/// What the server is told on its command line. Names and meaning are kube-apiserver's where it has them.
struct ServerOptions {
  std::vector<std::string> etcd_servers{"http://127.0.0.1:2379"};
  Address listen_address = boost::asio::ip::make_address("127.0.0.1");
  std::uint16_t listen_port = 8001;  ///< 0: any that is free; the log says which
  /// A socket that listens already, inherited from whoever started the server: it outlives a restart, and may be of
  /// another network namespace. Nullopt: the server opens its own.
  std::optional<int> listen_fd = {};
  kube::ServiceRanges ranges;
  std::optional<Address> advertise_address;  ///< what the Service kubernetes leads to; nullopt: nowhere
  Address bind_address = boost::asio::ip::make_address("0.0.0.0");  ///< where it serves HTTPS, if it has a certificate
  std::uint16_t secure_port = 6443;
  std::vector<int> secure_listen_fds = {};   ///< the same as listen_fd, for HTTPS, beside that address
  std::filesystem::path tls_cert_file = {};  ///< PEM; empty: no HTTPS
  std::filesystem::path tls_key_file = {};
  std::filesystem::path client_ca_file = {};            ///< whose certificates clients may show; empty: nobody's
  std::filesystem::path service_account_key_file = {};  ///< signs service accounts' tokens; empty: there are none
  std::filesystem::path token_auth_file = {};           ///< tokens that are good for ever: "TOKEN,USER,UID" a line
  /// Who it is for kubelets; empty: nobody. And whose kubelets it believes; empty: anybody's.
  std::filesystem::path kubelet_client_certificate = {};
  std::filesystem::path kubelet_client_key = {};
  std::filesystem::path kubelet_certificate_authority = {};
  std::size_t watch_window = 4'096;  ///< changes of each kind that watches can go back to
  std::size_t max_connections = 16'384;
  std::chrono::seconds request_timeout{30};  ///< for a request to come in, for each piece of an answer to be taken
  int verbosity = 0;
};

enum class ServerRequest { run, help, version };

struct ServerCommandLine {
  ServerRequest request = ServerRequest::run;
  ServerOptions options;
  std::string text;  ///< of help and version
};

/// Throws InputError naming flag, value and remedy.
ServerCommandLine parse_server_command_line(const std::vector<std::string>& arguments);

/// The arguments that say the same.
std::vector<std::string> to_arguments(const ServerOptions& options);

}  // namespace knetsim::apiserver
