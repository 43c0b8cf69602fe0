#include "real_kubernetes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace knetsim {

std::vector<std::string> kube_apiserver_arguments(const apiserver::ServerOptions& options) {
  const auto& ranges = options.ranges;
  const auto range = ranges.ipv4.to_string() + (ranges.ipv6 ? "," + ranges.ipv6->to_string() : "");
  std::vector<std::string> arguments{
      fmt::format("--etcd-servers={}", fmt::join(options.etcd_servers, ",")),
      fmt::format("--bind-address={}", options.bind_address.to_string()),
      fmt::format("--secure-port={}", options.secure_port),
      "--tls-cert-file=" + options.tls_cert_file.string(),
      "--tls-private-key-file=" + options.tls_key_file.string(),
      "--client-ca-file=" + options.client_ca_file.string(),
      "--token-auth-file=" + options.token_auth_file.string(),
      "--service-account-issuer=https://kubernetes.default.svc",
      "--service-account-key-file=" + options.service_account_key_file.string(),
      "--service-account-signing-key-file=" + options.service_account_key_file.string(),
      "--service-cluster-ip-range=" + range,
      fmt::format("--service-node-port-range={}-{}", ranges.first_node_port, ranges.last_node_port),
      "--authorization-mode=AlwaysAllow",
      "--anonymous-auth=false",
      "--disable-admission-plugins=ServiceAccount",
      "--kubelet-preferred-address-types=InternalIP",
      "--kubelet-client-certificate=" + options.kubelet_client_certificate.string(),
      "--kubelet-client-key=" + options.kubelet_client_key.string(),
      "--kubelet-certificate-authority=" + options.kubelet_certificate_authority.string(),
      "--storage-media-type=application/json"};
  if (options.advertise_address) arguments.push_back("--advertise-address=" + options.advertise_address->to_string());
  return arguments;
}

std::vector<std::string> kube_controller_manager_arguments(const std::filesystem::path& kubeconfig,
                                                           const std::filesystem::path& signing_key,
                                                           const std::filesystem::path& authority) {
  return {"--kubeconfig=" + kubeconfig.string(),
          "--controllers=endpointslice,endpoints,namespace,deployment,replicaset,daemonset,statefulset,job,"
          "garbagecollector,serviceaccount",
          "--leader-elect=false",
          "--use-service-account-credentials=false",
          "--service-account-private-key-file=" + signing_key.string(),
          "--root-ca-file=" + authority.string(),
          "--secure-port=0"};
}

}  // namespace knetsim
