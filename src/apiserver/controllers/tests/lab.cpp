#include "lab.h"

#include <fmt/format.h>

#include "knetsim/kube/access.h"
#include "knetsim/kube/patch.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"

namespace knetsim::controllers::test {

Lab::Lab() {
  view.now = kube::parse_timestamp("2026-11-30T12:00:00Z").value();
  view.random = [this] { return 7'919 * ++random_; };
  for (const auto& kind : kube::kinds())
    if (kind.plural != "events") view.add(kind, objects_[&kind]);
}

const json& Lab::put(const kube::Kind& kind, json object) {
  auto read = kube::read_object(kind, object, kube::FieldValidation::strict);
  const auto status = kube::member(object, "status");
  const auto& metadata = kube::member(object, "metadata");
  auto made = kube::prepare_create(kind, std::move(read.object),
                                   {.ns = kube::namespace_of(object),
                                    .name = {},
                                    .uid = fmt::format("uid-{}", ++revision_),
                                    .suffix = kube::name_suffix(view.random()),
                                    .now = view.now});
  if (!status.is_null()) made["status"] = status;
  for (const auto* const key : {"deletionTimestamp", "uid", "creationTimestamp"})
    if (metadata.contains(key)) made["metadata"][key] = metadata[key];
  return change(kind, std::move(made));
}

const json& Lab::change(const kube::Kind& kind, json object) {
  object["metadata"]["resourceVersion"] = std::to_string(++revision_);
  auto& slot = objects_[&kind][key_of(object)];
  last_kind_ = &kind;
  last_before_ = std::exchange(slot, std::move(object));
  last_now_ = slot;
  view.track(kind, last_before_.is_null() ? nullptr : &last_before_, &slot);
  return slot;
}

void Lab::remove(const kube::Kind& kind, const std::string& key) {
  last_kind_ = &kind;
  last_before_ = objects_[&kind].at(key);
  last_now_ = nullptr;
  objects_[&kind].erase(key);
  view.track(kind, &last_before_, nullptr);
}

std::set<std::string> Lab::concerned(const Controller& controller) const {
  std::set<std::string> keys;
  controller.concerns(view,
                      {.kind = *last_kind_,
                       .before = last_before_.is_null() ? nullptr : &last_before_,
                       .now = last_now_.is_null() ? nullptr : &last_now_},
                      keys);
  return keys;
}

void Lab::apply(const Write& write) {
  const auto& kind = *write.kind;
  if (kind.plural == "events") {
    events.push_back(fmt::format("{} {} {}", write.body["type"].get<std::string>(),
                                 write.body["reason"].get<std::string>(), write.body["message"].get<std::string>()));
    return;
  }
  ++writes;
  if (write.method == "POST" && !write.target.ends_with("/binding")) {
    put(kind, write.body);
  } else if (write.method == "DELETE" && write.removed.is_null()) {
    const auto ns = write.target.substr(0, write.target.rfind('/'));
    for (const auto* object : view.in(kind, ns.substr(ns.rfind('/') + 1))) remove(kind, key_of(*object));
  } else if (write.method == "DELETE") {
    remove(kind, key_of(write.removed));
  } else {
    for (auto& [key, old] : objects_[&kind]) {
      const auto target = target_of(kind, old);
      if (write.target != target && write.target != target + "/status" && write.target != target + "/binding" &&
          write.target != target + "/finalize")
        continue;
      if (write.target.ends_with("/binding")) {
        change(kind, kube::bound_pod(kind, old, kube::text_at(write.body, "target", "name"), view.now));
      } else if (write.target.ends_with("/status")) {
        change(kind, kube::prepare_status_update(kind, old, kube::read_object(kind, write.body, {}).object));
      } else if (write.target.ends_with("/finalize")) {
        remove(kind, key);
      } else {
        auto next = write.method == "PATCH" ? kube::patched(kind, kube::PatchType::merge, old, write.body) : write.body;
        next = kube::prepare_update(kind, old, kube::read_object(kind, next, {}).object);
        if (kube::is_gone(kind, next))
          remove(kind, key);
        else
          change(kind, std::move(next));
      }
      return;
    }
    ADD_FAILURE() << "nothing is at " << write.target;
  }
}

void Lab::once(const Controller& controller, const std::string& key) {
  for (const auto& write : decide(controller, key).writes) apply(write);
}

std::vector<std::string> Lab::settle(const Controller& controller, const std::string& key) {
  constexpr int kMostRounds = 50;
  std::vector<std::string> done;
  for (int round = 0; round < kMostRounds; ++round) {
    const auto decision = decide(controller, key);
    if (decision.writes.empty()) return done;
    for (const auto& write : decision.writes) {
      if (write.kind->plural != "events") done.push_back(fmt::format("{} {}", write.method, write.target));
      apply(write);
    }
  }
  ADD_FAILURE() << controller.name << " finds no rest: " << testing::PrintToString(done);
  return done;
}

json service(const std::string& name, const json& selector) {
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", {{"name", name}, {"namespace", "shop"}}},
          {"spec",
           {{"selector", selector},
            {"ports", {{{"port", 80}}}},
            {"clusterIP", "10.96.0.9"},
            {"clusterIPs", {"10.96.0.9"}}}}};
}

json pod(const std::string& name, const json& labels, const std::string& address, const std::string& node) {
  json made{{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata", {{"name", name}, {"namespace", "shop"}, {"labels", labels}}},
            {"spec", {{"containers", {{{"name", "c"}, {"image", "pause"}}}}}},
            {"status", {{"phase", "Running"}, {"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}};
  if (!node.empty()) made["spec"]["nodeName"] = node;
  if (!address.empty()) {
    made["status"]["podIP"] = address;
    made["status"]["podIPs"] = {{{"ip", address}}};
  }
  return made;
}

}  // namespace knetsim::controllers::test
