#include "knetsim/emulator/credentials.h"

#include <fmt/format.h>

#include "knetsim/sys/file.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kForItsOwner = 0600;

}  // namespace

Credentials::Made& Credentials::made() {
  if (!made_) made_.emplace();
  return *made_;
}

ServerFiles Credentials::write_for(const fs::path& directory, std::vector<std::string> names,
                                   std::vector<Address> addresses) {
  for (const char* name : {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
                           "kubernetes.default.svc.cluster.local", "localhost"})
    names.emplace_back(name);
  addresses.insert(addresses.end(), {boost::asio::ip::address_v4::loopback(), boost::asio::ip::address_v6::loopback()});
  const std::scoped_lock lock(mutex_);
  auto& all = made();
  const auto own = all.authority.for_server({.user = "kube-apiserver"}, names, addresses);
  const auto to_kubelets =
      all.authority.for_client({.user = "kube-apiserver-kubelet-client", .groups = {"system:masters"}});
  make_directories(directory);
  const auto write = [&](const char* name, const std::string& content, unsigned mode) {
    write_file_atomically(directory / name, content, mode);
    return directory / name;
  };
  return {.certificate = write("apiserver.crt", own.certificate, 0644),
          .key = write("apiserver.key", own.key, kForItsOwner),
          .client_authority = write("ca.crt", all.authority.certificate(), 0644),
          .signing_key = write("sa.key", all.signing_key, kForItsOwner),
          .tokens = write("tokens.csv", fmt::format("{},knetsim-lab,1,\"system:masters\"\n", all.token), kForItsOwner),
          .kubelet_client_certificate = write("apiserver-kubelet-client.crt", to_kubelets.certificate, 0644),
          .kubelet_client_key = write("apiserver-kubelet-client.key", to_kubelets.key, kForItsOwner)};
}

KubeletIdentity Credentials::kubelet_of(const std::string& node, std::vector<Address> addresses) {
  addresses.insert(addresses.end(), {boost::asio::ip::address_v4::loopback(), boost::asio::ip::address_v6::loopback()});
  const std::scoped_lock lock(mutex_);
  const auto& authority = made().authority;
  return {.own = authority.for_server({.user = "system:node:" + node, .groups = {"system:nodes"}}, {node, "localhost"},
                                      addresses),
          .client_authority = authority.certificate()};
}

void Credentials::write_kubeconfig(const fs::path& file, const std::string& current_cluster) {
  const std::scoped_lock lock(mutex_);
  write_kubeconfig(file, current_cluster, made().admin);
}

void Credentials::write_kubeconfig(const fs::path& file, const std::string& cluster,
                                   const apiserver::Subject& subject) {
  const std::scoped_lock lock(mutex_);
  write_kubeconfig(file, cluster, made().authority.for_client(subject));
}

void Credentials::write_kubeconfig(const fs::path& file, const std::string& current_cluster,
                                   const apiserver::CertifiedKey& shown) {
  write_file_atomically(
      file,
      kubeconfig(clusters_,
                 {.authority = made().authority.certificate(), .certificate = shown.certificate, .key = shown.key},
                 current_cluster),
      kForItsOwner);
}

void Credentials::write_service_account() {
  const std::scoped_lock lock(mutex_);
  const fs::path directory = kServiceAccountDirectory;
  if (fs::exists(directory / "token")) return;
  make_directories(directory);
  write_file_atomically(directory / "ca.crt", made().authority.certificate());
  write_file_atomically(directory / "namespace", "default");
  write_file_atomically(directory / "token", made().token, kForItsOwner);  // last: who finds it finds all
}

std::string Credentials::authority() {
  const std::scoped_lock lock(mutex_);
  return made().authority.certificate();
}

apiserver::CertifiedKey Credentials::admin() {
  const std::scoped_lock lock(mutex_);
  return made().admin;
}

std::string Credentials::token() {
  const std::scoped_lock lock(mutex_);
  return made().token;
}

}  // namespace knetsim
