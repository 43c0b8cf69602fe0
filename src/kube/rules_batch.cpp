#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "knetsim/kube/access.h"
#include "knetsim/kube/selector.h"
#include "names.h"
#include "rules.h"

namespace knetsim::kube {

using nlohmann::json;

namespace {

constexpr std::array kControllerLabels{"batch.kubernetes.io/controller-uid", "controller-uid"};
constexpr std::array kNameLabels{"batch.kubernetes.io/job-name", "job-name"};

void validate_indexed(const json& object, FieldErrors& errors) {
  constexpr std::int64_t kMost = 100'000;
  const auto& spec = member(object, "spec");
  if (!member(spec, "completions").is_number()) errors.required("spec.completions", "when completion mode is Indexed");
  for (const auto* const key : {"completions", "parallelism"})
    if (number_at(spec, key) > kMost)
      errors.invalid(fmt::format("spec.{}", key), number_at(spec, key),
                     fmt::format("must be less than or equal to {} when completion mode is Indexed", kMost));
  const auto last =
      fmt::format("{}-{}", name_of(object), std::max<std::int64_t>(number_at(spec, "completions") - 1, 0));
  if (const auto problem = dns1123_label_problem(last); !problem.empty())
    errors.invalid("metadata.name", name_of(object),
                   fmt::format("will not able to create pod with invalid DNS label: {}", last));
}

}  // namespace

void fill_in_job(json& object) {
  auto& spec = object["spec"];
  if (!spec.contains("completions") && !spec.contains("parallelism")) spec["completions"] = 1;
  put_default(spec, "parallelism", 1);
  put_default(spec, "backoffLimit", 6);
  put_default(spec, "completionMode", "NonIndexed");
  put_default(spec, "suspend", false);
  put_default(spec, "manualSelector", false);
  put_default(spec, "podReplacementPolicy", "TerminatingOrFailed");
  const auto& labels = member(spec, "template", "metadata", "labels");
  if (!object["metadata"].contains("labels") && !labels.empty()) object["metadata"]["labels"] = labels;
  fill_in_pod_spec(spec["template"]["spec"]);
}

void begin_job(json& object) {
  auto& spec = object["spec"];
  if (bool_at(spec, "manualSelector")) return;
  const auto& uid = text_at(object, "metadata", "uid");
  auto& labels = spec["template"]["metadata"]["labels"];
  for (const auto* const label : kControllerLabels) labels[label] = uid;
  for (const auto* const label : kNameLabels) labels[label] = name_of(object);
  spec["selector"]["matchLabels"][kControllerLabels.front()] = uid;
}

void validate_job(const json& object, FieldErrors& errors) {
  const auto& spec = member(object, "spec");
  for (const auto* const key :
       {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"}) {
    const auto& value = member(spec, key);
    if (value.is_number() && number_in(value) < 0)
      errors.invalid(fmt::format("spec.{}", key), value, "must be greater than or equal to 0");
  }
  validate_choice(member(spec, "completionMode"), "spec.completionMode", {"Indexed", "NonIndexed"}, errors);
  if (text_at(spec, "completionMode") == "Indexed") validate_indexed(object, errors);
  const auto& selector = member(spec, "selector");
  if (selector.is_null()) {
    errors.required("spec.selector");
  } else {
    validate_label_selector(selector, "spec.selector", errors);
    const auto& labels = member(spec, "template", "metadata", "labels");
    if (!LabelSelector::of(selector).matches_labels(labels))
      errors.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
  }
  validate_labels(member(spec, "template", "metadata", "labels"), "spec.template.metadata.labels", errors);
  validate_pod_spec(member(spec, "template", "spec"), "spec.template.spec", errors);
  const auto& policy = text_at(spec, "template", "spec", "restartPolicy");
  if (policy == "Always") errors.required("spec.template.spec.restartPolicy", R"(valid values: "OnFailure", "Never")");
}

void validate_job_change(const json& object, const json& old, FieldErrors& errors) {
  for (const auto* const key : {"completions", "selector", "completionMode"})
    validate_immutable(member(object, "spec", key), member(old, "spec", key), fmt::format("spec.{}", key), errors);
  const bool not_begun = bool_at(old, "spec", "suspend") && !member(old, "status").contains("startTime");
  if (!not_begun && member(object, "spec", "template") != member(old, "spec", "template"))
    errors.invalid_shown("spec.template", "core.PodTemplateSpec{...}", "field is immutable");
}

}  // namespace knetsim::kube
