#include "router/tls.h"

#include <proton/sasl.h>
#include <proton/transport.h>
#include <unistd.h>

#include "knetsim/sys/error.h"

namespace knetsim::skupper::router {

namespace {

[[noreturn]] void refuse(const SslProfile& profile, const std::filesystem::path& file, const std::string& what) {
  throw InputError(describe({.where = "sslProfile \"" + profile.name + '"',
                             .tried = "use " + file.string() + " as its " + what,
                             .answer = ::access(file.c_str(), R_OK) == 0 ? "not valid" : "can't be read",
                             .remedy = "give PEM files that belong together"}));
}

TlsDomain make_domain(const SslProfile& profile, pn_ssl_mode_t mode) {
  TlsDomain domain(pn_ssl_domain(mode), pn_ssl_domain_free);
  if (!domain) throw Error("this build of Qpid Proton has no TLS");
  if (!profile.cert_file.empty() && pn_ssl_domain_set_credentials(domain.get(), profile.cert_file.c_str(),
                                                                  profile.private_key_file.c_str(), nullptr) != 0)
    refuse(profile, profile.cert_file, "certificate, with the key " + profile.private_key_file.string());
  if (!profile.ca_cert_file.empty() && pn_ssl_domain_set_trusted_ca_db(domain.get(), profile.ca_cert_file.c_str()) != 0)
    refuse(profile, profile.ca_cert_file, "caCertFile");
  if (!profile.ciphers.empty() && pn_ssl_domain_set_ciphers(domain.get(), profile.ciphers.c_str()) != 0)
    throw InputError("sslProfile \"" + profile.name + "\": ciphers \"" + profile.ciphers + "\" aren't OpenSSL's");
  if (!profile.protocols.empty() && pn_ssl_domain_set_protocols(domain.get(), profile.protocols.c_str()) != 0)
    throw InputError("sslProfile \"" + profile.name + "\": protocols \"" + profile.protocols + "\" aren't OpenSSL's");
  return domain;
}

}  // namespace

TlsDomain client_domain(const SslProfile& profile, bool verify_hostname) {
  auto domain = make_domain(profile, PN_SSL_MODE_CLIENT);
  const auto mode = profile.ca_cert_file.empty() ? PN_SSL_ANONYMOUS_PEER
                    : verify_hostname            ? PN_SSL_VERIFY_PEER_NAME
                                                 : PN_SSL_VERIFY_PEER;
  if (pn_ssl_domain_set_peer_authentication(domain.get(), mode, nullptr) != 0)
    refuse(profile, profile.ca_cert_file, "caCertFile");
  return domain;
}

TlsDomain server_domain(const SslProfile& profile, bool authenticate_peer, bool require) {
  auto domain = make_domain(profile, PN_SSL_MODE_SERVER);
  if (authenticate_peer &&
      pn_ssl_domain_set_peer_authentication(domain.get(), PN_SSL_VERIFY_PEER, profile.ca_cert_file.c_str()) != 0)
    refuse(profile, profile.ca_cert_file, "caCertFile");
  if (!require) pn_ssl_domain_allow_unsecured_client(domain.get());
  return domain;
}

void secure(pn_transport_t* transport, const TlsDomain& domain, const std::string& hostname) {
  auto* ssl = pn_ssl(transport);
  if (pn_ssl_init(ssl, domain.get(), nullptr) != 0) throw Error("can't begin TLS");
  if (!hostname.empty()) pn_ssl_set_peer_hostname(ssl, hostname.c_str());
}

}  // namespace knetsim::skupper::router
