#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/kube/status.h"
#include "knetsim/kube/time.h"

namespace knetsim::kube {

// The rules of the kinds, as their rows in the table name them: in rules_*.cpp. Objects have been decoded: what is
// there is of its type.

using Cells = std::vector<nlohmann::json>;

void no_defaults(nlohmann::json& object);
void no_rules(const nlohmann::json& object, FieldErrors& errors);
void no_rules_of_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);

void fill_in_namespace(nlohmann::json& object);
void fill_in_node(nlohmann::json& object);
void validate_node(const nlohmann::json& object, FieldErrors& errors);
void validate_node_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
void fill_in_pod(nlohmann::json& object);
void validate_pod(const nlohmann::json& object, FieldErrors& errors);
void validate_pod_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
/// Of subresource ephemeralcontainers.
void validate_ephemeral_containers(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
void fill_in_service(nlohmann::json& object);
void validate_service(const nlohmann::json& object, FieldErrors& errors);
void validate_service_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
void fill_in_endpoints(nlohmann::json& object);
void validate_endpoints(const nlohmann::json& object, FieldErrors& errors);
void validate_config_map(const nlohmann::json& object, FieldErrors& errors);
void validate_config_map_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
void fill_in_secret(nlohmann::json& object);
void validate_secret(const nlohmann::json& object, FieldErrors& errors);
void validate_secret_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
void validate_event(const nlohmann::json& object, FieldErrors& errors);
void validate_lease(const nlohmann::json& object, FieldErrors& errors);
void fill_in_deployment(nlohmann::json& object);
void fill_in_replica_set(nlohmann::json& object);
void fill_in_daemon_set(nlohmann::json& object);
void fill_in_stateful_set(nlohmann::json& object);
/// Of those four.
void validate_workload(const nlohmann::json& object, FieldErrors& errors);
void validate_workload_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
void validate_controller_revision(const nlohmann::json& object, FieldErrors& errors);
void validate_controller_revision_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
void fill_in_job(nlohmann::json& object);
void validate_job(const nlohmann::json& object, FieldErrors& errors);
void validate_job_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
void fill_in_endpoint_slice(nlohmann::json& object);
void validate_endpoint_slice(const nlohmann::json& object, FieldErrors& errors);
void validate_endpoint_slice_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);
void fill_in_network_policy(nlohmann::json& object);
void validate_network_policy(const nlohmann::json& object, FieldErrors& errors);
void validate_ingress(const nlohmann::json& object, FieldErrors& errors);
void validate_ingress_class(const nlohmann::json& object, FieldErrors& errors);
void validate_ingress_class_change(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors);

// What is beside defaults and checks.
void begin_namespace(nlohmann::json& object);
/// The labels by which a job knows its pods.
void begin_job(nlohmann::json& object);
void begin_pod(nlohmann::json& object);
void begin_service(nlohmann::json& object);
void carry_over_pod(nlohmann::json& object, const nlohmann::json& old);
void carry_over_service(nlohmann::json& object, const nlohmann::json& old);

// Shared among kinds.
void fill_in_pod_spec(nlohmann::json& spec);
void validate_pod_spec(const nlohmann::json& spec, const std::string& at, FieldErrors& errors);
/// Of what has a DNS label for a name that no other one in its list has: containers, volumes. Adds it to `names`.
void validate_own_name(const nlohmann::json& member, const std::string& place, std::set<std::string>& names,
                       FieldErrors& errors);
void fill_in_volume(nlohmann::json& volume);
/// Returns the volumes' names.
std::set<std::string> validate_volumes(const nlohmann::json& spec, const std::string& at, FieldErrors& errors);
void validate_volume_mounts(const nlohmann::json& container, const std::string& at,
                            const std::set<std::string>& volumes, FieldErrors& errors);
void validate_labels(const nlohmann::json& labels, const std::string& at, FieldErrors& errors);
void validate_label_selector(const nlohmann::json& selector, const std::string& at, FieldErrors& errors);
/// "may not change", "field is immutable"
void validate_immutable(const nlohmann::json& value, const nlohmann::json& old, const std::string& at,
                        FieldErrors& errors);
void validate_port_number(std::int64_t port, const std::string& at, FieldErrors& errors);
/// A value that must be one of these, which are sorted.
void validate_choice(const nlohmann::json& value, const std::string& at, const std::vector<std::string_view>& choices,
                     FieldErrors& errors);
void validate_address(const nlohmann::json& value, const std::string& at, FieldErrors& errors);
void validate_cidr(const nlohmann::json& value, const std::string& at, FieldErrors& errors);
/// Puts it there if there is nothing.
void put_default(nlohmann::json& object, std::string_view key, nlohmann::json value);

// Rows of Tables: in rows.cpp.
Cells namespace_row(const nlohmann::json& object, Time now);
Cells node_row(const nlohmann::json& object, Time now);
Cells pod_row(const nlohmann::json& object, Time now);
Cells service_row(const nlohmann::json& object, Time now);
Cells endpoints_row(const nlohmann::json& object, Time now);
Cells config_map_row(const nlohmann::json& object, Time now);
Cells secret_row(const nlohmann::json& object, Time now);
Cells service_account_row(const nlohmann::json& object, Time now);
Cells event_row(const nlohmann::json& object, Time now);
Cells lease_row(const nlohmann::json& object, Time now);
Cells deployment_row(const nlohmann::json& object, Time now);
Cells replica_set_row(const nlohmann::json& object, Time now);
Cells daemon_set_row(const nlohmann::json& object, Time now);
Cells stateful_set_row(const nlohmann::json& object, Time now);
Cells controller_revision_row(const nlohmann::json& object, Time now);
Cells job_row(const nlohmann::json& object, Time now);
Cells endpoint_slice_row(const nlohmann::json& object, Time now);
Cells network_policy_row(const nlohmann::json& object, Time now);
Cells ingress_row(const nlohmann::json& object, Time now);
Cells ingress_class_row(const nlohmann::json& object, Time now);

}  // namespace knetsim::kube
