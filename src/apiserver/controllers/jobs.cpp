// Pods until enough of them have succeeded, or too many have failed.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller.h"
#include "job_indexes.h"
#include "knetsim/kube/access.h"
#include "knetsim/kube/prepare.h"
#include "workload.h"

namespace knetsim::controllers {

namespace {

constexpr auto kJobComponent = "job-controller";
/// Keeps a pod that has ended until it is counted.
constexpr auto kTracking = "batch.kubernetes.io/job-tracking";
constexpr std::int64_t kMostJobPods = 100;      // at once; then others are heard
constexpr std::int64_t kMostIndexes = 100'000;  // that are kept of a job
constexpr std::chrono::seconds kFirstBackoff{10};
constexpr std::chrono::seconds kLongestBackoff{600};

bool is_tracked(const json& pod) {
  const auto& finalizers = kube::list_at(pod, "metadata", "finalizers");
  return std::ranges::find(finalizers, kTracking) != finalizers.end();
}

Write untrack(const json& pod) {
  auto finalizers = json::array();
  for (const auto& each : kube::list_at(pod, "metadata", "finalizers"))
    if (each != kTracking) finalizers.push_back(each);
  return merge(pods(), pod,
               {{"metadata",
                 {{"resourceVersion", kube::text_at(pod, "metadata", "resourceVersion")},
                  {"finalizers", std::move(finalizers)}}}});
}

bool has_condition(const json& job, std::string_view type) {
  return std::ranges::any_of(kube::list_at(job, "status", "conditions"), [&](const json& condition) {
    return kube::text_at(condition, "type") == type && kube::text_at(condition, "status") == "True";
  });
}

void set_condition(json& status, const char* type, bool value, const char* reason, const std::string& message,
                   kube::Time now) {
  auto& conditions = status["conditions"];
  if (!conditions.is_array()) conditions = json::array();
  std::erase_if(conditions.get_ref<json::array_t&>(),
                [&](const json& condition) { return kube::text_at(condition, "type") == type; });
  const auto time = kube::timestamp(now);
  conditions.push_back({{"type", type},
                        {"status", value ? "True" : "False"},
                        {"lastProbeTime", time},
                        {"lastTransitionTime", time},
                        {"reason", reason},
                        {"message", message}});
}

/// When the last container of a pod ended.
std::optional<kube::Time> end_of(const json& pod) {
  std::optional<kube::Time> last;
  for (const auto& status : kube::list_at(pod, "status", "containerStatuses"))
    if (const auto at = kube::parse_timestamp(kube::text_at(status, "state", "terminated", "finishedAt")))
      last = std::max(last.value_or(*at), *at);
  return last;
}

/// What is done about one job.
class JobRound {
 public:
  JobRound(const View& view, const json& job) : view_(view), job_(job), status_(kube::member(job, "status")) {
    if (!status_.is_object()) status_ = json::object();
    if (kube::text_at(job, "spec", "completionMode") == "Indexed")
      completed_ = indexes_in(kube::text_at(status_, "completedIndexes"),
                              std::min<std::int64_t>(kube::number_at(job, "spec", "completions"), kMostIndexes));
  }

  Decision decide() {
    pods_ = claim(view_, pods(), job_, decision_.writes);
    if (has_condition(job_, "Complete") || has_condition(job_, "Failed") || is_ending(job_)) {
      wind_up();
      return std::move(decision_);
    }
    count_ended();
    std::vector<const json*> active;
    for (const auto* pod : pods_)
      if (is_active(*pod)) active.push_back(pod);
    if (!kube::member(status_, "startTime").is_string()) status_["startTime"] = kube::timestamp(view_.now);
    act(active);
    put_counts(status_, {{"active", static_cast<std::int64_t>(active.size())}});
    status_["ready"] = std::ranges::count_if(active, [](const auto* pod) { return is_pod_ready(*pod); });
    status_["terminating"] = std::ranges::count_if(pods_, [](const auto* pod) {
      return is_ending(*pod) && kube::text_at(*pod, "status", "phase") != "Succeeded" &&
             kube::text_at(*pod, "status", "phase") != "Failed";
    });
    if (status_ != kube::member(job_, "status")) {
      auto changed = job_;
      changed["status"] = status_;
      decision_.writes.push_back(replace_status(jobs(), std::move(changed)));
    }
    return std::move(decision_);
  }

 private:
  bool is_suspended() const { return kube::bool_at(job_, "spec", "suspend"); }
  std::int64_t total(const char* which) const {
    return kube::number_at(status_, which) +
           static_cast<std::int64_t>(kube::list_at(status_, "uncountedTerminatedPods", which).size());
  }
  void tell(const char* type, const char* reason, const std::string& message) {
    decision_.writes.push_back(event(view_, job_, kJobComponent, type, reason, message));
  }
  void look_again(std::chrono::seconds after) {
    decision_.again_after = decision_.again_after ? std::min(*decision_.again_after, after) : after;
  }

  /// Each pod that ends is counted once, whoever deletes it and whenever this process ends: first its uid is noted,
  /// then the finalizer that keeps it is taken away, then the number grows and the uid goes.
  void count_ended() {
    std::map<std::string, const json*> tracked;
    for (const auto* pod : pods_)
      if (is_tracked(*pod)) tracked[uid_of(*pod)] = pod;
    json uncounted{{"succeeded", json::array()}, {"failed", json::array()}};
    std::set<std::string> noted;
    for (const auto* const which : {"succeeded", "failed"}) {
      auto count = kube::number_at(status_, which);
      for (const auto& uid : kube::list_at(status_, "uncountedTerminatedPods", which)) {
        const auto& name = kube::text_in(uid);
        noted.insert(name);
        const auto pod = tracked.find(name);
        if (pod != tracked.end()) {
          decision_.writes.push_back(untrack(*pod->second));
          uncounted[which].push_back(uid);
        } else {
          ++count;
        }
      }
      put_counts(status_, {{which, count}});
    }
    for (const auto& [uid, pod] : tracked) {
      if (is_active(*pod) || noted.contains(uid)) continue;
      if (completed_ && kube::text_at(*pod, "status", "phase") == "Succeeded") {
        complete_index_of(*pod);
        continue;
      }
      uncounted[kube::text_at(*pod, "status", "phase") == "Succeeded" ? "succeeded" : "failed"].push_back(uid);
    }
    for (const auto* const which : {"succeeded", "failed"})
      if (uncounted[which].empty()) uncounted.erase(which);
    status_["uncountedTerminatedPods"] = std::move(uncounted);
    if (!completed_) return;
    if (!completed_->empty()) status_["completedIndexes"] = indexes_text(*completed_);
    put_counts(status_, {{"succeeded", static_cast<std::int64_t>(completed_->size())}});
  }

  /// Of those the numbers are kept, so that one that is noted counts once by itself.
  void complete_index_of(const json& pod) {
    const auto index = index_of(pod);
    const bool counts = index && *index < kube::number_at(job_, "spec", "completions");
    if (!counts || !completed_->insert(*index).second) decision_.writes.push_back(untrack(pod));
  }

  void act(std::vector<const json*>& active) {
    const auto& spec = kube::member(job_, "spec");
    const auto succeeded = total("succeeded");
    const auto failed = total("failed");
    const auto limit = kube::number_at(spec, "backoffLimit");
    const auto& completions = kube::member(spec, "completions");
    const bool past_limit = failed > limit || restarts(active) > limit;
    if (past_limit) return fail(active, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    if (is_past_deadline()) return fail(active, "DeadlineExceeded", "Job was active longer than specified deadline");
    const bool complete =
        completions.is_number() ? succeeded >= kube::number_in(completions) : succeeded > 0 && active.empty();
    if (complete) return finish(active);
    if (is_suspended()) return suspend(active);
    if (has_condition(job_, "Suspended")) {
      set_condition(status_, "Suspended", false, "JobResumed", "Job resumed", view_.now);
      tell("Normal", "Resumed", "Job resumed");
    }
    auto wanted = kube::number_at(spec, "parallelism");
    if (completions.is_number()) {
      wanted = std::min(wanted, kube::number_in(completions) - succeeded);
    } else if (succeeded > 0) {
      wanted = std::min(wanted, static_cast<std::int64_t>(active.size()));
    }
    const auto count = static_cast<std::int64_t>(active.size());
    if (count > wanted) return end_pods(active, count - wanted);
    if (count < wanted && !is_backing_off(failed)) add_pods(active, std::min(wanted - count, kMostJobPods));
  }

  std::int64_t restarts(const std::vector<const json*>& active) const {
    if (kube::text_at(job_, "spec", "template", "spec", "restartPolicy") != "OnFailure") return 0;
    std::int64_t sum = 0;
    for (const auto* pod : active)
      for (const auto* const list : {"containerStatuses", "initContainerStatuses"})
        for (const auto& status : kube::list_at(*pod, "status", list)) sum += kube::number_at(status, "restartCount");
    return sum;
  }

  bool is_past_deadline() {
    const auto& deadline = kube::member(job_, "spec", "activeDeadlineSeconds");
    const auto start = kube::parse_timestamp(kube::text_at(status_, "startTime"));
    if (!deadline.is_number() || !start || is_suspended()) return false;
    const auto left = *start + std::chrono::seconds(kube::number_in(deadline)) - view_.now;
    if (left.count() > 0) look_again(left);
    return left.count() <= 0;
  }

  /// After each failure a new pod comes later: 10, 20, 40 s ... up to ten minutes.
  bool is_backing_off(std::int64_t failed) {
    if (failed == 0) return false;
    std::optional<kube::Time> last;
    for (const auto* pod : pods_) {
      if (kube::text_at(*pod, "status", "phase") != "Failed") continue;
      if (const auto at = end_of(*pod)) last = std::max(last.value_or(*at), *at);
    }
    if (!last) return false;
    auto wait = kFirstBackoff;
    for (std::int64_t i = 1; i < failed && wait < kLongestBackoff; ++i) wait *= 2;
    const auto left = *last + std::min(wait, kLongestBackoff) - view_.now;
    if (left.count() > 0) look_again(left);
    return left.count() > 0;
  }

  void add_pods(const std::vector<const json*>& active, std::int64_t count) {
    auto taken = completed_.value_or(Indexes());
    for (const auto* pod : active)
      if (const auto index = index_of(*pod)) taken.insert(*index);
    std::int64_t next = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto suffix = kube::name_suffix(view_.random());
      auto pod = pod_of_template(job_, kube::member(job_, "spec", "template"),
                                 fmt::format("{}-{}", kube::name_of(job_), suffix));
      auto& metadata = pod["metadata"];
      metadata["generateName"] = kube::name_of(job_) + "-";
      if (completed_) {
        while (taken.contains(next)) ++next;
        give_index(pod, kube::name_of(job_), next++, suffix);
      }
      const auto name = kube::name_of(pod);
      if (!metadata.contains("finalizers")) metadata["finalizers"] = json::array();
      metadata["finalizers"].push_back(kTracking);
      decision_.writes.push_back(create(pods(), std::move(pod)));
      tell("Normal", "SuccessfulCreate", "Created pod: " + name);
    }
  }

  /// Those that aren't wanted any more are no failures.
  void end_pods(std::vector<const json*>& active, std::int64_t count) {
    sort_for_deletion(active, view_.now);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto& pod = *active[static_cast<std::size_t>(i)];
      if (is_tracked(pod)) decision_.writes.push_back(untrack(pod));
      decision_.writes.push_back(remove(pods(), pod));
      tell("Normal", "SuccessfulDelete", "Deleted pod: " + kube::name_of(pod));
    }
    active.erase(active.begin(), active.begin() + count);
  }
  void end_all(std::vector<const json*>& active) { end_pods(active, static_cast<std::int64_t>(active.size())); }

  void fail(std::vector<const json*>& active, const char* reason, const std::string& message) {
    end_all(active);
    set_condition(status_, "FailureTarget", true, reason, message, view_.now);
    set_condition(status_, "Failed", true, reason, message, view_.now);
    count_noted();
    tell("Warning", reason, message);
  }

  void finish(std::vector<const json*>& active) {
    end_all(active);
    const auto message = "Reached expected number of succeeded pods";
    set_condition(status_, "SuccessCriteriaMet", true, "CompletionsReached", message, view_.now);
    set_condition(status_, "Complete", true, "CompletionsReached", message, view_.now);
    status_["completionTime"] = kube::timestamp(view_.now);
    count_noted();
    tell("Normal", "Completed", "Job completed");
  }

  /// The end of a job is its last count: what is kept of its pods from then on is let go.
  void count_noted() {
    for (const auto* const which : {"succeeded", "failed"}) put_counts(status_, {{which, total(which)}});
    status_["uncountedTerminatedPods"] = json::object();
  }

  void suspend(std::vector<const json*>& active) {
    end_all(active);
    status_.erase("startTime");
    if (has_condition(job_, "Suspended")) return;
    set_condition(status_, "Suspended", true, "JobSuspended", "Job suspended", view_.now);
    tell("Normal", "Suspended", "Job suspended");
  }

  /// Of a job that has ended, or is being deleted.
  void wind_up() {
    for (const auto* pod : pods_) {
      if (is_tracked(*pod)) decision_.writes.push_back(untrack(*pod));
      if (!is_ending(job_) && is_active(*pod)) decision_.writes.push_back(remove(pods(), *pod));
    }
    const auto& ttl = kube::member(job_, "spec", "ttlSecondsAfterFinished");
    if (!ttl.is_number() || is_ending(job_)) return;
    for (const auto& condition : kube::list_at(job_, "status", "conditions")) {
      const auto& type = kube::text_at(condition, "type");
      const auto since = kube::parse_timestamp(kube::text_at(condition, "lastTransitionTime"));
      if ((type != "Complete" && type != "Failed") || !since) continue;
      const auto left = *since + std::chrono::seconds(kube::number_in(ttl)) - view_.now;
      if (left.count() > 0)
        look_again(left);
      else
        decision_.writes.push_back(remove(jobs(), job_, "Foreground"));
    }
  }

  const View& view_;
  const json& job_;
  json status_;
  std::vector<const json*> pods_;
  std::optional<Indexes> completed_;  ///< of completionMode Indexed: the numbers that have succeeded
  Decision decision_;
};

Decision decide_job(const View& view, const std::string& key) {
  if (const auto* const job = view.find(jobs(), key)) return JobRound(view, *job).decide();
  // Pods of a job that is gone are nobody's to count.
  Decision decision;
  const auto slash = key.find('/');
  for (const auto* pod : view.in(pods(), key.substr(0, slash))) {
    const auto& owner = controller_of(*pod);
    if (is_tracked(*pod) && kube::text_at(owner, "kind") == "Job" &&
        kube::text_at(owner, "name") == key.substr(slash + 1))
      decision.writes.push_back(untrack(*pod));
  }
  return decision;
}

void job_concerns(const View& view, const Change& change, std::set<std::string>& keys) {
  if (change.is(jobs())) keys.insert(key_of(change.either()));
  add_controller_key(view, change, jobs(), keys);
}

}  // namespace

const Controller kJobs{.name = "job-controller", .concerns = job_concerns, .decide = decide_job};

}  // namespace knetsim::controllers
