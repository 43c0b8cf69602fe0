#include <fmt/format.h>

#include "knetsim/kube/access.h"
#include "knetsim/kube/selector.h"
#include "rules.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

void fill_in_template(json& object) {
  auto& spec = object["spec"]["template"]["spec"];
  fill_in_pod_spec(spec);
}

std::string shown_labels(const json& labels) {
  if (!labels.is_object()) return "map[string]string(nil)";
  std::string all;
  for (const auto& [key, value] : labels.items())
    all += fmt::format("{}{}:{}", all.empty() ? "" : ", ", json(key).dump(), json(value).dump());
  return "map[string]string{" + all + "}";
}

void validate_rolling(const json& value, const std::string& at, FieldErrors& errors) {
  if (value.is_number() && number_in(value) < 0) errors.invalid(at, value, "must be greater than or equal to 0");
  if (!value.is_string()) return;
  const auto& text = text_in(value);
  if (text.size() < 2 || text.back() != '%' || text.find_first_not_of("0123456789") != text.size() - 1) {
    errors.invalid(at, value,
                   "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
                   "'93%', regex used for validation is '[0-9]+%')");
  }
}

bool is_zero(const json& value) { return value == 0 || value == "0%"; }

}  // namespace

void fill_in_deployment(json& object) {
  auto& spec = object["spec"];
  put_default(spec, "replicas", 1);
  auto& strategy = spec["strategy"];
  put_default(strategy, "type", "RollingUpdate");
  if (strategy["type"] == "RollingUpdate") {
    auto& rolling = strategy["rollingUpdate"];
    if (rolling.is_null()) rolling = json::object();
    put_default(rolling, "maxUnavailable", "25%");
    put_default(rolling, "maxSurge", "25%");
  }
  put_default(spec, "revisionHistoryLimit", 10);
  put_default(spec, "progressDeadlineSeconds", 600);
  fill_in_template(object);
}

void fill_in_replica_set(json& object) {
  put_default(object["spec"], "replicas", 1);
  fill_in_template(object);
}

void fill_in_daemon_set(json& object) {
  auto& spec = object["spec"];
  auto& strategy = spec["updateStrategy"];
  put_default(strategy, "type", "RollingUpdate");
  if (strategy["type"] == "RollingUpdate") {
    auto& rolling = strategy["rollingUpdate"];
    if (rolling.is_null()) rolling = json::object();
    put_default(rolling, "maxUnavailable", 1);
    put_default(rolling, "maxSurge", 0);
  }
  put_default(spec, "revisionHistoryLimit", 10);
  fill_in_template(object);
}

void fill_in_stateful_set(json& object) {
  auto& spec = object["spec"];
  put_default(spec, "replicas", 1);
  put_default(spec, "podManagementPolicy", "OrderedReady");
  auto& strategy = spec["updateStrategy"];
  put_default(strategy, "type", "RollingUpdate");
  if (strategy["type"] == "RollingUpdate") {
    auto& rolling = strategy["rollingUpdate"];
    if (rolling.is_null()) rolling = json::object();
    put_default(rolling, "partition", 0);
  }
  put_default(spec, "revisionHistoryLimit", 10);
  if (!spec.contains("persistentVolumeClaimRetentionPolicy")) {
    spec["persistentVolumeClaimRetentionPolicy"] = {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}};
  }
  fill_in_template(object);
}

void validate_workload(const json& object, FieldErrors& errors) {
  const auto& spec = member(object, "spec");
  for (const auto* const key : {"replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"}) {
    const auto& value = member(spec, key);
    if (value.is_number() && number_in(value) < 0) {
      errors.invalid(fmt::format("spec.{}", key), value, "must be greater than or equal to 0");
    }
  }
  const auto& selector = member(spec, "selector");
  const auto& labels = member(spec, "template", "metadata", "labels");
  if (selector.is_null()) {
    errors.required("spec.selector");
  } else {
    validate_label_selector(selector, "spec.selector", errors);
    if (LabelSelector::of(selector).empty()) {
      errors.invalid_shown("spec.selector",
                           "v1.LabelSelector{MatchLabels:map[string]string(nil), "
                           "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}",
                           fmt::format("empty selector is invalid for {}",
                                       text_at(object, "kind") == "Deployment" ? "deployment" : "this kind"));
    } else if (!LabelSelector::of(selector).matches_labels(labels)) {
      errors.invalid_shown("spec.template.metadata.labels", shown_labels(labels),
                           "`selector` does not match template `labels`");
    }
  }
  validate_labels(labels, "spec.template.metadata.labels", errors);
  const auto& pod = member(spec, "template", "spec");
  validate_pod_spec(pod, "spec.template.spec", errors);
  if (text_at(pod, "restartPolicy") != "Always") {
    errors.not_supported("spec.template.spec.restartPolicy", member(pod, "restartPolicy"), {"Always"});
  }
  if (const auto& strategy = member(spec, "strategy"); !strategy.is_null()) {
    validate_choice(member(strategy, "type"), "spec.strategy.type", {"Recreate", "RollingUpdate"}, errors);
    const auto& rolling = member(strategy, "rollingUpdate");
    if (text_at(strategy, "type") == "Recreate" && !rolling.is_null()) {
      errors.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
    } else if (!rolling.is_null()) {
      const auto& unavailable = member(rolling, "maxUnavailable");
      validate_rolling(unavailable, "spec.strategy.rollingUpdate.maxUnavailable", errors);
      validate_rolling(member(rolling, "maxSurge"), "spec.strategy.rollingUpdate.maxSurge", errors);
      if (is_zero(unavailable) && is_zero(member(rolling, "maxSurge"))) {
        errors.invalid("spec.strategy.rollingUpdate.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0");
      }
    }
  }
}

void validate_workload_change(const json& object, const json& old, FieldErrors& errors) {
  const auto immutable = [&](const char* key) {
    validate_immutable(member(object, "spec", key), member(old, "spec", key), fmt::format("spec.{}", key), errors);
  };
  immutable("selector");
  if (text_at(object, "kind") == "StatefulSet") {
    immutable("serviceName");
    immutable("podManagementPolicy");
  }
}

void validate_controller_revision(const json& object, FieldErrors& errors) {
  if (member(object, "data").is_null()) errors.required("data", "data is mandatory");
  const auto& revision = member(object, "revision");
  if (number_in(revision) < 0) errors.invalid("revision", revision, "must be greater than or equal to 0");
}

void validate_controller_revision_change(const json& object, const json& old, FieldErrors& errors) {
  validate_immutable(member(object, "data"), member(old, "data"), "data", errors);
}

}  // namespace knetsim::kube
