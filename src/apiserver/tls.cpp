#include "tls.h"

#include <fmt/format.h>

#include "knetsim/sys/error.h"
#include "openssl_handles.h"

namespace knetsim::apiserver {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

template <typename Use>
void with_file(const char* flag, const std::filesystem::path& file, Use use) {
  error_code error;
  use(file.string(), error);
  ERR_clear_error();
  if (error) throw InputError(fmt::format("{} {}: {}", flag, file.string(), error.message()));
}

}  // namespace

std::optional<ssl::context> tls_context(const ServerOptions& options) {
  if (options.tls_cert_file.empty()) return std::nullopt;
  ssl::context context(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  // A session that is taken up again saves little here, and each that may be costs memory.
  SSL_CTX_set_session_cache_mode(context.native_handle(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(context.native_handle(), 0);
  with_file("--tls-cert-file", options.tls_cert_file,
            [&](const std::string& file, error_code& error) { context.use_certificate_chain_file(file, error); });
  with_file("--tls-private-key-file", options.tls_key_file, [&](const std::string& file, error_code& error) {
    context.use_private_key_file(file, ssl::context::pem, error);
  });
  if (!options.client_ca_file.empty()) {
    with_file("--client-ca-file", options.client_ca_file,
              [&](const std::string& file, error_code& error) { context.load_verify_file(file, error); });
    // A wrong one isn't the end of the connection: it is told in HTTP.
    context.set_verify_mode(ssl::verify_peer);
    context.set_verify_callback([](bool, ssl::verify_context&) { return true; });
  }
  return context;
}

ssl::context kubelet_client_context(const ServerOptions& options) {
  ssl::context context(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  if (!options.kubelet_client_certificate.empty()) {
    with_file("--kubelet-client-certificate", options.kubelet_client_certificate,
              [&](const std::string& file, error_code& error) { context.use_certificate_chain_file(file, error); });
    with_file("--kubelet-client-key", options.kubelet_client_key, [&](const std::string& file, error_code& error) {
      context.use_private_key_file(file, ssl::context::pem, error);
    });
  }
  context.set_verify_mode(ssl::verify_none);
  if (!options.kubelet_certificate_authority.empty()) {
    with_file("--kubelet-certificate-authority", options.kubelet_certificate_authority,
              [&](const std::string& file, error_code& error) { context.load_verify_file(file, error); });
    context.set_verify_mode(ssl::verify_peer);
  }
  return context;
}

Shown certificate_of(TlsStream& stream) {
  auto* const handle = stream.native_handle();
  if (SSL_get0_peer_certificate(handle) == nullptr) return Shown::nothing;
  return SSL_get_verify_result(handle) == X509_V_OK ? Shown::good : Shown::bad;
}

}  // namespace knetsim::apiserver
