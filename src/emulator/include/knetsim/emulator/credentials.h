#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/apiserver/pki.h"
#include "knetsim/emulator/kubeconfig.h"
#include "knetsim/sys/network.h"

namespace knetsim {

/// What one API server is told of itself and of those who ask it, in files; keys are for their owner alone.
struct ServerFiles {
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::filesystem::path client_authority;
  std::filesystem::path signing_key;  ///< of service accounts' tokens
  std::filesystem::path tokens;
  std::filesystem::path kubelet_client_certificate;  ///< who it is for kubelets
  std::filesystem::path kubelet_client_key;
};

/// What the kubelet of one node shows of itself, and the authority of those whom it hears; in PEM.
struct KubeletIdentity {
  apiserver::CertifiedKey own;
  std::string client_authority;
};

/// Whom the clusters of a lab trust: one authority for all of them, as its programs share one file system. All of it is
/// made when somebody asks for an API first; before that it costs nothing. Threads may use it side by side.
class Credentials {
 public:
  /// `clusters`: where each is asked from within nodes, over TLS.
  explicit Credentials(std::vector<KubeContext> clusters) : clusters_(std::move(clusters)) {}

  /// Writes them into `directory`, which is made. `names` and `addresses` are the server's.
  ServerFiles write_for(const std::filesystem::path& directory, std::vector<std::string> names,
                        std::vector<Address> addresses);
  /// Of the node's kubelet; made anew each time.
  KubeletIdentity kubelet_of(const std::string& node, std::vector<Address> addresses);
  /// For people on the nodes of a cluster, into that file: whoever has it may do everything.
  void write_kubeconfig(const std::filesystem::path& file, const std::string& current_cluster);
  /// For a program that asks that cluster, with a certificate of its own.
  void write_kubeconfig(const std::filesystem::path& file, const std::string& cluster,
                        const apiserver::Subject& subject);
  /// What containers find as their service account's, at kServiceAccountDirectory: CA, namespace default, token.
  void write_service_account();

  std::string authority();
  apiserver::CertifiedKey admin();
  /// A token that may do everything, in all clusters of the lab.
  std::string token();

 private:
  struct Made {
    apiserver::Authority authority{"knetsim"};
    std::string signing_key = apiserver::new_signing_key();
    std::string token = apiserver::new_secret();
    apiserver::CertifiedKey admin = authority.for_client({.user = "kubernetes-admin", .groups = {"system:masters"}});
  };
  /// With mutex_ locked.
  Made& made();
  void write_kubeconfig(const std::filesystem::path& file, const std::string& current_cluster,
                        const apiserver::CertifiedKey& shown);

  std::vector<KubeContext> clusters_;
  std::mutex mutex_;
  std::optional<Made> made_;
};

/// Where a client that runs in a pod finds its service account (client-go/rest/config.go says /var/run, a link to
/// /run).
inline constexpr const char* kServiceAccountDirectory = "/run/secrets/kubernetes.io/serviceaccount";

}  // namespace knetsim
