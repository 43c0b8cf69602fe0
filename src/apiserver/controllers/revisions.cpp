#include "revisions.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller.h"
#include "knetsim/kube/access.h"
#include "workload.h"

namespace knetsim::controllers {

namespace {

constexpr auto kDirective = "$patch";

std::int64_t number_of_revision(const json& revision) { return kube::number_at(revision, "revision"); }

bool keeps(const json& revision, const json& pod_template) {
  auto kept = kube::member(revision, "data", "spec", "template");
  if (!kept.is_object()) return false;
  kept.erase(kDirective);
  return kept == pod_template;
}

/// What makes the template, by a strategic merge patch of the set, that which it is now.
json patch_to(json pod_template) {
  pod_template[kDirective] = "replace";
  return {{"spec", {{"template", std::move(pod_template)}}}};
}

}  // namespace

Revisions::Revisions(const View& view, const json& set, const char* label, std::vector<Write>& writes)
    : set_(set), all_(claim(view, controller_revisions(), set, writes)) {
  std::ranges::sort(all_, {}, [](const auto* each) { return std::pair(number_of_revision(*each), key_of(*each)); });
  const auto& wanted = kube::member(set, "spec", "template");
  const auto last = all_.empty() ? 0 : number_of_revision(*all_.back());
  const auto found = std::find_if(all_.rbegin(), all_.rend(), [&](const auto* each) { return keeps(*each, wanted); });
  if (found != all_.rend()) {
    const auto& kept = **found;
    name_ = kube::name_of(kept);
    hash_ = kube::text_at(kept, "metadata", "labels", label);
    if (hash_.empty()) hash_ = hash_name(wanted, 0);
    if (&kept != all_.back() && !is_ending(set))
      writes.push_back(merge(controller_revisions(), kept, {{"revision", last + 1}}));
    return;
  }
  const auto place = [&] { return kube::namespace_of(set) + "/" + name_; };
  for (std::int64_t collisions = 0; name_.empty() || view.find(controller_revisions(), place()) != nullptr;
       ++collisions) {
    hash_ = hash_name(wanted, collisions);
    name_ = fmt::format("{}-{}", kube::name_of(set), hash_);
  }
  if (is_ending(set)) return;
  json metadata{{"name", name_},
                {"namespace", kube::namespace_of(set)},
                {"labels", kube::member(wanted, "metadata", "labels")},
                {"ownerReferences", json::array({controller_reference(set)})}};
  metadata["labels"][label] = hash_;
  if (const auto& annotations = kube::member(set, "metadata", "annotations"); !annotations.empty())
    metadata["annotations"] = annotations;
  writes.push_back(create(controller_revisions(), {{"apiVersion", "apps/v1"},
                                                   {"kind", "ControllerRevision"},
                                                   {"metadata", std::move(metadata)},
                                                   {"data", patch_to(wanted)},
                                                   {"revision", last + 1}}));
}

const json& Revisions::template_of(const std::string& name) const {
  for (const auto* each : all_)
    if (kube::name_of(*each) == name) return kube::member(*each, "data", "spec", "template");
  return kube::null_json();
}

void Revisions::thin_out(const std::function<bool(const json&)>& is_live, std::vector<Write>& writes) const {
  std::vector<const json*> idle;
  for (const auto* each : all_)
    if (kube::name_of(*each) != name_ && !is_ending(*each) && !is_live(*each)) idle.push_back(each);
  const auto limit =
      static_cast<std::size_t>(std::max<std::int64_t>(0, kube::number_at(set_, "spec", "revisionHistoryLimit")));
  for (std::size_t i = 0; i + limit < idle.size(); ++i) writes.push_back(remove(controller_revisions(), *idle[i]));
}

void add_key_of_revision(const Change& change, const kube::Kind& kind, std::set<std::string>& keys) {
  if (!change.is(controller_revisions())) return;
  const auto& controller = controller_of(change.either());
  if (kube::text_at(controller, "kind") == kind.kind)
    keys.insert(kube::namespace_of(change.either()) + "/" + kube::text_at(controller, "name"));
}

}  // namespace knetsim::controllers
