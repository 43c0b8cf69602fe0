#include "knetsim/kube/kinds.h"

#include <fmt/format.h>

#include "knetsim/sys/error.h"
#include "names.h"
#include "rules.h"

namespace knetsim::kube {
namespace {

using Verbs = std::vector<std::string_view>;

Verbs all_verbs() { return {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}; }
Verbs changing_verbs() { return {"get", "patch", "update"}; }

Subresource status_of_kind(std::string_view kind) {
  return {.name = "status", .group = {}, .version = {}, .kind = kind, .verbs = changing_verbs()};
}
Subresource scale_subresource() {
  return {.name = "scale", .group = "autoscaling", .version = "v1", .kind = "Scale", .verbs = changing_verbs()};
}

Column name_column() { return {.name = "Name", .format = "name", .description = "Its name, unique in the namespace."}; }
Column age_column() { return {.name = "Age", .description = "The time since it was made."}; }
Column column(std::string_view name) { return {.name = name}; }
Column wide(std::string_view name) { return {.name = name, .priority = 1}; }
Column integer(std::string_view name) { return {.name = name, .type = "integer"}; }

std::vector<Column> columns_of_workload(std::vector<Column> first) {
  first.insert(first.end(), {age_column(), wide("Containers"), wide("Images"), wide("Selector")});
  first.insert(first.begin(), name_column());
  return first;
}

std::vector<SelectableField> fields_of_pod() {
  return {{"spec.nodeName", "/spec/nodeName"},
          {"spec.restartPolicy", "/spec/restartPolicy"},
          {"spec.schedulerName", "/spec/schedulerName"},
          {"spec.serviceAccountName", "/spec/serviceAccountName"},
          {"spec.hostNetwork", "/spec/hostNetwork", "false"},
          {"status.phase", "/status/phase"},
          {"status.podIP", "/status/podIP"},
          {"status.podIPs", "/status/podIP"},
          {"status.nominatedNodeName", "/status/nominatedNodeName"}};
}

std::vector<SelectableField> fields_of_event() {
  return {{"involvedObject.kind", "/involvedObject/kind"},
          {"involvedObject.namespace", "/involvedObject/namespace"},
          {"involvedObject.name", "/involvedObject/name"},
          {"involvedObject.uid", "/involvedObject/uid"},
          {"involvedObject.apiVersion", "/involvedObject/apiVersion"},
          {"involvedObject.resourceVersion", "/involvedObject/resourceVersion"},
          {"involvedObject.fieldPath", "/involvedObject/fieldPath"},
          {"reason", "/reason"},
          {"reportingComponent", "/reportingComponent"},
          {"source", "/source/component"},
          {"type", "/type"}};
}

std::vector<Kind> core_kinds() {
  std::vector<Kind> all;
  const auto add = [&](Kind kind) {
    kind.version = "v1";
    all.push_back(std::move(kind));
  };
  add({.kind = "ConfigMap",
       .plural = "configmaps",
       .singular = "configmap",
       .short_names = {"cm"},
       .verbs = all_verbs(),
       .storage = "configmaps",
       .columns = {name_column(), column("Data"), age_column()},
       .fill_in = no_defaults,
       .validate = validate_config_map,
       .validate_change = validate_config_map_change,
       .row = config_map_row});
  add({.kind = "Endpoints",
       .plural = "endpoints",
       .singular = "endpoints",
       .short_names = {"ep"},
       .verbs = all_verbs(),
       .storage = "services/endpoints",
       .columns = {name_column(), column("Endpoints"), age_column()},
       .fill_in = fill_in_endpoints,
       .validate = validate_endpoints,
       .validate_change = no_rules_of_change,
       .row = endpoints_row});
  add({.kind = "Event",
       .plural = "events",
       .singular = "event",
       .short_names = {"ev"},
       .verbs = all_verbs(),
       .storage = "events",
       .columns = {column("Last Seen"),
                   column("Type"),
                   column("Reason"),
                   column("Object"),
                   wide("Subobject"),
                   wide("Source"),
                   column("Message"),
                   wide("First Seen"),
                   wide("Count"),
                   {.name = "Name", .format = "name", .priority = 1}},
       .fields = fields_of_event(),
       .fill_in = no_defaults,
       .validate = validate_event,
       .validate_change = no_rules_of_change,
       .row = event_row});
  add({.kind = "Namespace",
       .plural = "namespaces",
       .singular = "namespace",
       .short_names = {"ns"},
       .namespaced = false,
       .verbs = {"create", "delete", "get", "list", "patch", "update", "watch"},
       .has_status = true,
       .storage = "namespaces",
       .subresources = {{"finalize", {}, {}, "Namespace", {"update"}}, status_of_kind("Namespace")},
       .columns = {name_column(), column("Status"), age_column()},
       .fields = {{"status.phase", "/status/phase"}},
       .fill_in = fill_in_namespace,
       .validate = no_rules,
       .validate_change = no_rules_of_change,
       .row = namespace_row,
       .name_problem = dns1123_label_problem,
       .begin = begin_namespace});
  add({.kind = "Node",
       .plural = "nodes",
       .singular = "node",
       .short_names = {"no"},
       .namespaced = false,
       .verbs = all_verbs(),
       .has_status = true,
       .storage = "minions",
       .subresources = {status_of_kind("Node")},
       .columns = {name_column(), column("Status"), column("Roles"), age_column(), column("Version"),
                   wide("Internal-IP"), wide("External-IP"), wide("OS-Image"), wide("Kernel-Version"),
                   wide("Container-Runtime")},
       .fields = {{"spec.unschedulable", "/spec/unschedulable", "false"}},
       .fill_in = fill_in_node,
       .validate = validate_node,
       .validate_change = validate_node_change,
       .row = node_row});
  add({.kind = "Pod",
       .plural = "pods",
       .singular = "pod",
       .short_names = {"po"},
       .categories = {"all"},
       .verbs = all_verbs(),
       .has_status = true,
       .returns_deleted = true,
       .storage = "pods",
       .subresources = {{"attach", {}, {}, "PodAttachOptions", {"create", "get"}},
                        {"binding", {}, {}, "Binding", {"create"}},
                        {"ephemeralcontainers", {}, {}, "Pod", changing_verbs()},
                        {"eviction", "policy", "v1", "Eviction", {"create"}},
                        {"exec", {}, {}, "PodExecOptions", {"create", "get"}},
                        {"log", {}, {}, "Pod", {"get"}},
                        {"portforward", {}, {}, "PodPortForwardOptions", {"create", "get"}},
                        status_of_kind("Pod")},
       .columns = {name_column(), column("Ready"), column("Status"), column("Restarts"), age_column(), wide("IP"),
                   wide("Node"), wide("Nominated Node"), wide("Readiness Gates")},
       .fields = fields_of_pod(),
       .fill_in = fill_in_pod,
       .validate = validate_pod,
       .validate_change = validate_pod_change,
       .row = pod_row,
       .begin = begin_pod,
       .carry_over = carry_over_pod});
  add({.kind = "Secret",
       .plural = "secrets",
       .singular = "secret",
       .verbs = all_verbs(),
       .storage = "secrets",
       .columns = {name_column(), column("Type"), column("Data"), age_column()},
       .fields = {{"type", "/type"}},
       .fill_in = fill_in_secret,
       .validate = validate_secret,
       .validate_change = validate_secret_change,
       .row = secret_row});
  add({.kind = "ServiceAccount",
       .plural = "serviceaccounts",
       .singular = "serviceaccount",
       .short_names = {"sa"},
       .verbs = all_verbs(),
       .returns_deleted = true,
       .storage = "serviceaccounts",
       .subresources = {{"token", "authentication.k8s.io", "v1", "TokenRequest", {"create"}}},
       .columns = {name_column(), column("Secrets"), age_column()},
       .fill_in = no_defaults,
       .validate = no_rules,
       .validate_change = no_rules_of_change,
       .row = service_account_row});
  add({.kind = "Service",
       .plural = "services",
       .singular = "service",
       .short_names = {"svc"},
       .categories = {"all"},
       .verbs = all_verbs(),
       .has_status = true,
       .returns_deleted = true,
       .storage = "services/specs",
       .subresources = {status_of_kind("Service")},
       .columns = {name_column(), column("Type"), column("Cluster-IP"), column("External-IP"), column("Port(s)"),
                   age_column(), wide("Selector")},
       .fields = {{"spec.clusterIP", "/spec/clusterIP"}, {"spec.type", "/spec/type"}},
       .fill_in = fill_in_service,
       .validate = validate_service,
       .validate_change = validate_service_change,
       .row = service_row,
       .name_problem = dns1035_label_problem,
       .begin = begin_service,
       .carry_over = carry_over_service});
  return all;
}

std::vector<Kind> apps_kinds() {
  std::vector<Kind> all;
  const auto add = [&](Kind kind) {
    kind.group = "apps";
    kind.version = "v1";
    kind.categories = {"all"};
    kind.verbs = all_verbs();
    kind.has_status = true;
    kind.has_generation = true;
    kind.storage = kind.plural;
    kind.validate = validate_workload;
    kind.validate_change = validate_workload_change;
    all.push_back(std::move(kind));
  };
  all.push_back({.group = "apps",
                 .version = "v1",
                 .kind = "ControllerRevision",
                 .plural = "controllerrevisions",
                 .singular = "controllerrevision",
                 .verbs = all_verbs(),
                 .storage = "controllerrevisions",
                 .columns = {name_column(), column("Controller"), column("Revision"), age_column()},
                 .fill_in = no_defaults,
                 .validate = validate_controller_revision,
                 .validate_change = validate_controller_revision_change,
                 .row = controller_revision_row});
  add({.kind = "DaemonSet",
       .plural = "daemonsets",
       .singular = "daemonset",
       .short_names = {"ds"},
       .subresources = {status_of_kind("DaemonSet")},
       .columns = columns_of_workload({integer("Desired"), integer("Current"), integer("Ready"), integer("Up-to-date"),
                                       integer("Available"), column("Node Selector")}),
       .fill_in = fill_in_daemon_set,
       .row = daemon_set_row});
  add({.kind = "Deployment",
       .plural = "deployments",
       .singular = "deployment",
       .short_names = {"deploy"},
       .subresources = {scale_subresource(), status_of_kind("Deployment")},
       .columns = columns_of_workload({column("Ready"), column("Up-to-date"), column("Available")}),
       .fill_in = fill_in_deployment,
       .row = deployment_row});
  add({.kind = "ReplicaSet",
       .plural = "replicasets",
       .singular = "replicaset",
       .short_names = {"rs"},
       .subresources = {scale_subresource(), status_of_kind("ReplicaSet")},
       .columns = columns_of_workload({integer("Desired"), integer("Current"), integer("Ready")}),
       .fields = {{"status.replicas", "/status/replicas", "0"}},
       .fill_in = fill_in_replica_set,
       .row = replica_set_row});
  add({.kind = "StatefulSet",
       .plural = "statefulsets",
       .singular = "statefulset",
       .short_names = {"sts"},
       .subresources = {scale_subresource(), status_of_kind("StatefulSet")},
       .columns = {name_column(), column("Ready"), age_column(), wide("Containers"), wide("Images")},
       .fill_in = fill_in_stateful_set,
       .row = stateful_set_row});
  return all;
}

std::vector<Kind> other_kinds() {
  std::vector<Kind> all;
  const auto add = [&](std::string_view group, Kind kind) {
    kind.group = group;
    kind.version = "v1";
    kind.verbs = all_verbs();
    all.push_back(std::move(kind));
  };
  add("batch", {.kind = "Job",
                .plural = "jobs",
                .singular = "job",
                .categories = {"all"},
                .has_status = true,
                .has_generation = true,
                .storage = "jobs",
                .subresources = {status_of_kind("Job")},
                .columns = columns_of_workload({column("Status"), column("Completions"), column("Duration")}),
                .fields = {{"status.successful", "/status/succeeded", "0"}},
                .fill_in = fill_in_job,
                .validate = validate_job,
                .validate_change = validate_job_change,
                .row = job_row,
                .begin = begin_job});
  add("coordination.k8s.io", {.kind = "Lease",
                              .plural = "leases",
                              .singular = "lease",
                              .storage = "leases",
                              .columns = {name_column(), column("Holder"), age_column()},
                              .fill_in = no_defaults,
                              .validate = validate_lease,
                              .validate_change = no_rules_of_change,
                              .row = lease_row});
  add("discovery.k8s.io",
      {.kind = "EndpointSlice",
       .plural = "endpointslices",
       .singular = "endpointslice",
       .has_generation = true,
       .storage = "endpointslices",
       .columns = {name_column(), column("AddressType"), column("Ports"), column("Endpoints"), age_column()},
       .fill_in = fill_in_endpoint_slice,
       .validate = validate_endpoint_slice,
       .validate_change = validate_endpoint_slice_change,
       .row = endpoint_slice_row});
  add("networking.k8s.io", {.kind = "IngressClass",
                            .plural = "ingressclasses",
                            .singular = "ingressclass",
                            .namespaced = false,
                            .has_generation = true,
                            .storage = "ingressclasses",
                            .columns = {name_column(), column("Controller"), column("Parameters"), age_column()},
                            .fill_in = no_defaults,
                            .validate = validate_ingress_class,
                            .validate_change = validate_ingress_class_change,
                            .row = ingress_class_row});
  add("networking.k8s.io",
      {.kind = "Ingress",
       .plural = "ingresses",
       .singular = "ingress",
       .short_names = {"ing"},
       .has_status = true,
       .has_generation = true,
       .storage = "ingress",
       .subresources = {status_of_kind("Ingress")},
       .columns = {name_column(), column("Class"), column("Hosts"), column("Address"), column("Ports"), age_column()},
       .fill_in = no_defaults,
       .validate = validate_ingress,
       .validate_change = no_rules_of_change,
       .row = ingress_row});
  add("networking.k8s.io", {.kind = "NetworkPolicy",
                            .plural = "networkpolicies",
                            .singular = "networkpolicy",
                            .short_names = {"netpol"},
                            .has_generation = true,
                            .storage = "networkpolicies",
                            .columns = {name_column(), column("Pod-Selector"), age_column()},
                            .fill_in = fill_in_network_policy,
                            .validate = validate_network_policy,
                            .validate_change = no_rules_of_change,
                            .row = network_policy_row});
  return all;
}

std::vector<Kind> all_kinds() {
  auto all = core_kinds();
  for (const auto& more : {apps_kinds(), other_kinds()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

std::string Kind::api_version() const {
  return group.empty() ? std::string(version) : fmt::format("{}/{}", group, version);
}

const Subresource* Kind::subresource(std::string_view wanted) const {
  for (const auto& each : subresources)
    if (each.name == wanted) return &each;
  return nullptr;
}

bool Kind::allows(std::string_view verb) const {
  for (const auto& each : verbs)
    if (each == verb) return true;
  return false;
}

std::string Kind::key(std::string_view ns, std::string_view name) const {
  auto key = fmt::format("/registry/{}/", storage);
  if (namespaced && !ns.empty()) key += fmt::format("{}/", ns);
  return key.append(name);
}

const Schema& Kind::schema() const {
  const auto* const found = find_schema(kind);
  if (found == nullptr) throw Error(fmt::format("no schema of {}", kind));
  return *found;
}

std::span<const Kind> kinds() {
  static const auto all = all_kinds();
  return all;
}

const Kind* find(std::string_view group, std::string_view version, std::string_view plural) {
  for (const auto& kind : kinds())
    if (kind.group == group && kind.version == version && kind.plural == plural) return &kind;
  return nullptr;
}

const Kind* kind_of(std::string_view api_version, std::string_view name) {
  for (const auto& kind : kinds())
    if (kind.kind == name && kind.api_version() == api_version) return &kind;
  return nullptr;
}

const Kind& must_be(std::string_view plural, std::string_view group) {
  for (const auto& kind : kinds())
    if (kind.group == group && kind.plural == plural) return kind;
  throw Error(fmt::format("no kind {} in group \"{}\"", plural, group));
}

bool has_group_version(std::string_view group, std::string_view version) {
  for (const auto& kind : kinds())
    if (kind.group == group && kind.version == version) return true;
  return false;
}

}  // namespace knetsim::kube
