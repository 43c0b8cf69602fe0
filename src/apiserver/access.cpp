#include "knetsim/apiserver/access.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <boost/asio/ssl/host_name_verification.hpp>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "knetsim/kube/access.h"
#include "knetsim/kube/manifest.h"
#include "knetsim/sys/base64.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/network.h"
#include "knetsim/sys/text.h"

namespace knetsim::apiserver {

namespace fs = std::filesystem;
namespace ssl = boost::asio::ssl;
using boost::asio::ip::tcp;
using boost::system::error_code;
using kube::list_at;
using kube::member;
using kube::text_at;
using nlohmann::json;

namespace {

constexpr std::size_t kLongestFile = 1UL << 20;

/// One kubeconfig and the files that it names.
class Kubeconfig {
 public:
  explicit Kubeconfig(fs::path file) : file_(std::move(file)) {
    try {
      content_ = kube::read_yaml(bounded(file_, {}), {.size = kLongestFile, .depth = 20, .nodes = 10'000});
    } catch (const InputError& error) {
      refuse({}, error.what());
    }
  }

  [[noreturn]] void refuse(const std::string& field, const std::string& why) const {
    throw InputError(describe({.where = file_.string(),
                               .tried = field.empty() ? "read the kubeconfig" : "read " + field,
                               .answer = why,
                               .remedy = "give a kubeconfig as kubectl has it"}));
  }

  /// The one of that name in a list: {"name": ..., `inner`: {...}}
  const json& one_of(const char* list, const std::string& name, const char* inner) const {
    for (const auto& each : list_at(content_, list))
      if (text_at(each, "name") == name && member(each, inner).is_object()) return member(each, inner);
    refuse(list, fmt::format("there is none called {}", excerpt(name)));
  }

  /// What `field`-data has in base64, else what is in the file that `field` names; nullopt: neither is there.
  std::optional<std::string> content_of(const json& object, const std::string& field) const {
    if (const auto& data = text_at(object, (field + "-data").c_str()); !data.empty()) {
      auto bytes = base64_decode(data);
      if (!bytes) refuse(field + "-data", "it isn't base64");
      return bytes;
    }
    const auto& path = text_at(object, field.c_str());
    if (path.empty()) return std::nullopt;
    return bounded(file_.parent_path() / path, field);
  }

  const json& content() const noexcept { return content_; }

 private:
  std::string bounded(const fs::path& path, const std::string& field) const {
    // Looked at first: whoever opens a pipe that nobody writes to waits.
    std::error_code error;
    if (!fs::is_regular_file(path, error)) refuse(field, fmt::format("there is no file {}", path.string()));
    std::ifstream in(path, std::ios::binary);
    if (!in) refuse(field, fmt::format("{} can't be read", path.string()));
    std::string text(kLongestFile + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kLongestFile) refuse(field, fmt::format("{} is longer than 1 MiB", path.string()));
    return text;
  }

  fs::path file_;
  json content_;
};

struct Url {
  bool secure = false;
  std::string host;  ///< an address, without brackets
  tcp::endpoint endpoint;
};

/// "https://10.0.0.1:6443", "http://[::1]:8001/"
std::optional<Url> url_of(std::string_view text) {
  constexpr std::uint16_t kHttp = 80;
  constexpr std::uint16_t kHttps = 443;
  Url url{.secure = text.starts_with("https://"), .host = {}, .endpoint = {}};
  if (!url.secure && !text.starts_with("http://")) return std::nullopt;
  text.remove_prefix(text.find("//") + 2);
  if (text.ends_with('/')) text.remove_suffix(1);
  std::uint16_t port = url.secure ? kHttps : kHttp;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
    const auto digits = text.substr(colon + 1);
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (code != std::errc{} || end != digits.data() + digits.size() || port == 0) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  url.host = text;
  error_code error;
  const auto address = boost::asio::ip::make_address(url.host, error);
  if (error) return std::nullopt;
  url.endpoint = {address, port};
  return url;
}

}  // namespace

Access read_kubeconfig(const fs::path& file) {
  const Kubeconfig config(file);
  const auto& context = config.one_of("contexts", text_at(config.content(), "current-context"), "context");
  const auto& cluster = config.one_of("clusters", text_at(context, "cluster"), "cluster");
  const auto& server = text_at(cluster, "server");
  const auto url = url_of(server);
  if (!url) config.refuse("server", fmt::format("{} isn't of the form https://ADDRESS:PORT", excerpt(server)));
  const auto& user = config.one_of("users", text_at(context, "user"), "user");
  if (member(user, "exec").is_object()) config.refuse("exec", "programs that give credentials aren't run");
  Access access{.server = url->endpoint, .token = text_at(user, "token")};
  if (!url->secure) return access;

  access.tls = std::make_shared<ssl::context>(ssl::context::tls_client);
  const auto take = [&](const char* field, const json& object, const auto& use) {
    const auto content = config.content_of(object, field);
    if (!content) return false;
    error_code error;
    use(boost::asio::buffer(*content), error);
    ::ERR_clear_error();
    if (error) config.refuse(field, error.message());
    return true;
  };
  auto& tls = *access.tls;
  if (!take("certificate-authority", cluster,
            [&](const auto& pem, error_code& error) { tls.add_certificate_authority(pem, error); }))
    tls.set_default_verify_paths();
  if (kube::bool_at(cluster, "insecure-skip-tls-verify")) {
    tls.set_verify_mode(ssl::verify_none);
  } else {
    const auto& name = text_at(cluster, "tls-server-name");
    tls.set_verify_mode(ssl::verify_peer);
    tls.set_verify_callback(ssl::host_name_verification(name.empty() ? url->host : name));
  }
  if (take("client-certificate", user,
           [&](const auto& pem, error_code& error) { tls.use_certificate_chain(pem, error); }))
    if (!take("client-key", user,
              [&](const auto& pem, error_code& error) { tls.use_private_key(pem, ssl::context::pem, error); }))
      config.refuse("client-key", "it isn't there");
  return access;
}

}  // namespace knetsim::apiserver
