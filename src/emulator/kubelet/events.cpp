#include "events.h"

#include <fmt/format.h>

#include <chrono>
#include <random>

#include "knetsim/kube/access.h"

namespace knetsim::kubelet {

using nlohmann::json;

namespace {

constexpr std::size_t kMostTold = 200;

std::string spec_path(const json& pod, const std::string& container) {
  if (container.empty()) return {};
  for (const auto* const list : {"initContainers", "containers"})
    for (const auto& one : kube::list_at(pod, "spec", list))
      if (kube::text_at(one, "name") == container) return fmt::format("spec.{}{{{}}}", list, container);
  return {};
}

}  // namespace

json event_object(const json& pod, const std::string& name, bool warning, const std::string& reason,
                  const std::string& message, const std::string& container, int count, kube::Time first,
                  kube::Time now) {
  const auto& node = kube::text_at(pod, "spec", "nodeName");
  json involved{{"apiVersion", "v1"},
                {"kind", "Pod"},
                {"namespace", kube::namespace_of(pod)},
                {"name", kube::name_of(pod)},
                {"uid", kube::text_at(pod, "metadata", "uid")}};
  if (auto path = spec_path(pod, container); !path.empty()) involved["fieldPath"] = std::move(path);
  return {{"apiVersion", "v1"},
          {"kind", "Event"},
          {"metadata", {{"name", name}, {"namespace", kube::namespace_of(pod)}}},
          {"involvedObject", involved},
          {"type", warning ? "Warning" : "Normal"},
          {"reason", reason},
          {"message", message},
          {"count", count},
          {"firstTimestamp", kube::timestamp(first)},
          {"lastTimestamp", kube::timestamp(now)},
          {"source", {{"component", "kubelet"}, {"host", node}}},
          {"reportingComponent", "kubelet"},
          {"reportingInstance", node}};
}

void PodEvents::tell(const json& pod, bool warning, const std::string& reason, const std::string& message,
                     const std::string& container) {
  const auto key = fmt::format("{}\n{}\n{}", reason, container, message);
  if (told_.size() >= kMostTold && !told_.contains(key)) told_.clear();
  auto& told = told_[key];
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  ++told.count;
  const auto collection = fmt::format("/api/v1/namespaces/{}/events", kube::namespace_of(pod));
  if (told.count == 1) {
    // Unique beside those of earlier pods of that name.
    static thread_local std::mt19937_64 random{std::random_device{}()};
    told.name = fmt::format("{}.{:016x}", kube::name_of(pod).substr(0, 200), random());
    told.first = now;
    writes_.ask({.method = "POST",
                 .target = collection,
                 .body = event_object(pod, told.name, warning, reason, message, container, 1, now, now)});
    return;
  }
  writes_.ask({.method = "PATCH",
               .target = fmt::format("{}/{}", collection, told.name),
               .body = {{"count", told.count}, {"lastTimestamp", kube::timestamp(now)}},
               .type = "application/merge-patch+json",
               .key = told.name});
}

}  // namespace knetsim::kubelet
