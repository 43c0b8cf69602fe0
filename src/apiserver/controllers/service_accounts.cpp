// The service account `default`, which every namespace has.
#include "controller.h"
#include "knetsim/kube/access.h"

namespace knetsim::controllers {

namespace {

constexpr const char* kDefaultAccount = "default";

const kube::Kind& service_accounts() { return kube::must_be("serviceaccounts"); }

void account_concerns(const View&, const Change& change, std::set<std::string>& keys) {
  if (change.is(namespaces())) keys.insert(key_of(change.either()));
  if (change.is(service_accounts()) && change.now == nullptr && kube::name_of(*change.before) == kDefaultAccount)
    keys.insert(kube::namespace_of(*change.before));
}

Decision decide_account(const View& view, const std::string& key) {
  const auto* const ns = view.find(namespaces(), key);
  if (ns == nullptr || is_ending(*ns) || view.find(service_accounts(), key + "/" + kDefaultAccount) != nullptr)
    return {};
  return {.writes = {create(service_accounts(), {{"metadata", {{"name", kDefaultAccount}, {"namespace", key}}}})}};
}

}  // namespace

const Controller kServiceAccounts{
    .name = "serviceaccount-controller", .concerns = account_concerns, .decide = decide_account};

}  // namespace knetsim::controllers
