#include "knetsim/emulator/kubeconfig.h"

#include <nlohmann/json.hpp>

#include "knetsim/sys/base64.h"

namespace knetsim {

std::string kubeconfig(const std::vector<KubeContext>& contexts, const KubeUser& user, const std::string& current) {
  auto clusters = nlohmann::json::array();
  auto listed = nlohmann::json::array();
  for (const auto& [name, url] : contexts) {
    nlohmann::json cluster{{"server", url}};
    if (!user.authority.empty()) cluster["certificate-authority-data"] = base64_encode(user.authority);
    clusters.push_back({{"name", name}, {"cluster", cluster}});
    listed.push_back({{"name", name}, {"context", {{"cluster", name}, {"user", "knetsim"}}}});
  }
  auto shown = nlohmann::json::object();
  if (!user.certificate.empty()) shown["client-certificate-data"] = base64_encode(user.certificate);
  if (!user.key.empty()) shown["client-key-data"] = base64_encode(user.key);
  if (!user.token.empty()) shown["token"] = user.token;
  const auto first = contexts.empty() ? "" : contexts.front().name;
  // YAML takes JSON as it is.
  return nlohmann::json{{"apiVersion", "v1"},
                        {"kind", "Config"},
                        {"clusters", clusters},
                        {"contexts", listed},
                        {"users", nlohmann::json::array({{{"name", "knetsim"}, {"user", shown}}})},
                        {"current-context", current.empty() ? first : current}}
             .dump(2) +
         "\n";
}

}  // namespace knetsim
