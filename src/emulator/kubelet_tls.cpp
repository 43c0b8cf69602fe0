#include "kubelet_tls.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>

namespace knetsim {

namespace ssl = boost::asio::ssl;

namespace {

constexpr const char* kMasters = "system:masters";
constexpr std::size_t kLongestName = 100;  // that is shown

std::vector<std::string> entries_of(X509* certificate, int what) {
  std::vector<std::string> texts;
  auto* const subject = X509_get_subject_name(certificate);
  for (int at = X509_NAME_get_index_by_NID(subject, what, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, what, at)) {
    const auto* const text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    texts.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return texts;
}

}  // namespace

ssl::context kubelet_tls(const KubeletIdentity& identity) {
  ssl::context context(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  // A session that is taken up again saves little here.
  SSL_CTX_set_session_cache_mode(context.native_handle(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(context.native_handle(), 0);
  context.use_certificate_chain(boost::asio::buffer(identity.own.certificate));
  context.use_private_key(boost::asio::buffer(identity.own.key), ssl::context::pem);
  context.add_certificate_authority(boost::asio::buffer(identity.client_authority));
  // A wrong one isn't the end of the connection: it is told in HTTP.
  context.set_verify_mode(ssl::verify_peer);
  context.set_verify_callback([](bool, ssl::verify_context&) { return true; });
  return context;
}

std::optional<kube::ApiError> refusal_of(KubeletStream& stream) {
  auto* const session = stream.native_handle();
  auto* const certificate = SSL_get0_peer_certificate(session);
  if (certificate == nullptr || SSL_get_verify_result(session) != X509_V_OK) return kube::unauthorized();
  const auto groups = entries_of(certificate, NID_organizationName);
  if (std::ranges::find(groups, kMasters) != groups.end()) return std::nullopt;
  const auto users = entries_of(certificate, NID_commonName);
  return kube::ApiError(403, "Forbidden",
                        fmt::format("Forbidden (user={}, verb=get, resource=nodes, subresource=proxy)",
                                    users.empty() ? "" : users.front().substr(0, kLongestName)));
}

}  // namespace knetsim
