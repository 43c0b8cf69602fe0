#include "tls.h"

#include <algorithm>
#include <filesystem>

#include "endpoint.h"
#include "knetsim/sys/error.h"

namespace knetsim::etcd {

namespace ssl = boost::asio::ssl;

namespace {

template <typename Use>
void use_file(const std::filesystem::path& file, const char* what, Use use) {
  if (file.empty()) return;
  boost::system::error_code error;
  use(file.string(), error);
  if (!error) return;
  throw InputError(describe({.where = file.string(),
                             .tried = std::string("use it as ") + what,
                             .answer = error.message(),
                             .remedy = "give a readable PEM file"}));
}

}  // namespace

std::shared_ptr<ssl::context> make_tls_context(const ClientOptions& options) {
  const auto is_secure = [](const std::string& url) { return parse_endpoint(url).secure; };
  const bool secure = std::any_of(options.endpoints.begin(), options.endpoints.end(), is_secure);
  const auto& tls = options.tls;
  // Files that were given are read even if no endpoint asks for them, as flanneld does: a wrong name is told at once.
  if (!secure && tls.ca.empty() && tls.certificate.empty() && tls.key.empty()) return nullptr;
  if (tls.certificate.empty() != tls.key.empty())
    throw InputError("etcd: a client certificate needs its key, and a key its certificate");
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  context->set_verify_mode(ssl::verify_peer);
  if (tls.ca.empty()) {
    boost::system::error_code ignored;  // nobody is trusted then
    context->set_default_verify_paths(ignored);
  }
  use_file(tls.ca, "the authorities' certificates",
           [&](const auto& file, auto& error) { context->load_verify_file(file, error); });
  use_file(tls.certificate, "the client's certificate",
           [&](const auto& file, auto& error) { context->use_certificate_chain_file(file, error); });
  use_file(tls.key, "the client's key",
           [&](const auto& file, auto& error) { context->use_private_key_file(file, ssl::context::pem, error); });
  return secure ? context : nullptr;
}

}  // namespace knetsim::etcd
