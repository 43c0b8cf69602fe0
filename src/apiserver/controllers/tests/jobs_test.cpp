// Jobs: each pod that ends counts once.
#include "job_indexes.h"
#include "knetsim/kube/access.h"
#include "lab.h"

namespace knetsim::controllers::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kKey = "shop/sums";

class Jobs : public testing::Test {
 protected:
  static json job(const json& spec) {
    json made{{"apiVersion", "batch/v1"},
              {"kind", "Job"},
              {"metadata", {{"name", "sums"}, {"namespace", "shop"}}},
              {"spec",
               {{"template",
                 {{"spec", {{"restartPolicy", "Never"}, {"containers", {{{"name", "c"}, {"image", "pause:1"}}}}}}}}}}};
    made["spec"].update(spec);
    return made;
  }
  void add(const json& spec) {
    lab.put(jobs(), job(spec));
    settle();
  }
  void set(const json& spec) {
    auto changed = lab.get(jobs(), kKey);
    changed["spec"].update(spec);
    lab.change(jobs(), changed);
  }
  void settle() { lab.settle(kJobs, kKey); }
  json status() { return lab.get(jobs(), kKey)["status"]; }
  std::vector<std::string> active() {
    std::vector<std::string> keys;
    for (const auto* pod : lab.all(pods())) {
      const auto& phase = kube::text_at(*pod, "status", "phase");
      if (phase != "Succeeded" && phase != "Failed") keys.push_back(key_of(*pod));
    }
    return keys;
  }
  void end(const std::string& key, const char* phase) {
    auto pod = lab.get(pods(), key);
    pod["status"]["phase"] = phase;
    pod["status"]["containerStatuses"] = {
        {{"name", "c"}, {"state", {{"terminated", {{"finishedAt", kube::timestamp(lab.view.now)}}}}}}};
    lab.change(pods(), pod);
    EXPECT_THAT(lab.concerned(kJobs), Contains(kKey));
  }
  void end_all(const char* phase) {
    for (const auto& key : active()) end(key, phase);
    settle();
  }
  bool is(const char* type) {
    const auto now = status();
    for (const auto& condition : kube::list_at(now, "conditions"))
      if (condition["type"] == type && condition["status"] == "True") return true;
    return false;
  }
  void expect_nobody_is_held() {
    for (const auto* pod : lab.all(pods())) EXPECT_THAT(kube::list_at(*pod, "metadata", "finalizers"), IsEmpty());
  }

  Lab lab;
};

TEST_F(Jobs, RunPodsUntilEnoughHaveSucceeded) {
  add({{"completions", 3}, {"parallelism", 2}});
  EXPECT_THAT(active(), SizeIs(2));
  EXPECT_EQ(status()["active"], 2);
  end(active().front(), "Succeeded");
  settle();
  EXPECT_THAT(active(), SizeIs(2));
  EXPECT_EQ(status()["succeeded"], 1);
  end(active().front(), "Succeeded");
  settle();
  EXPECT_THAT(active(), SizeIs(1)) << "one is left to do";
  end_all("Succeeded");
  EXPECT_TRUE(is("Complete"));
  EXPECT_EQ(status()["succeeded"], 3);
  EXPECT_TRUE(status().contains("completionTime"));
  EXPECT_FALSE(status().contains("active"));
  EXPECT_THAT(lab.events, Contains("Normal Completed Job completed"));
  EXPECT_THAT(lab.all(pods()), SizeIs(3)) << "their logs can be read";
  expect_nobody_is_held();
}

TEST_F(Jobs, CountAPodOnceWhoeverTakesItAway) {
  add({{"completions", 3}});
  const auto first = active().front();
  end(first, "Succeeded");
  lab.once(kJobs, kKey);  // it is noted
  EXPECT_THAT(kube::list_at(lab.get(pods(), first), "metadata", "finalizers"), SizeIs(1)) << "and kept until it is";
  settle();
  EXPECT_EQ(status()["succeeded"], 1);
  lab.remove(pods(), first);
  settle();
  EXPECT_EQ(status()["succeeded"], 1);
  EXPECT_THAT(active(), SizeIs(1));
}

TEST_F(Jobs, WaitLongerAfterEachFailureAndGiveUp) {
  add({{"backoffLimit", 2}});
  for (const int wait : {10, 20}) {
    end_all("Failed");
    EXPECT_THAT(active(), IsEmpty());
    EXPECT_EQ(lab.decide(kJobs, kKey).again_after, std::chrono::seconds(wait));
    lab.view.now += std::chrono::seconds(wait);
    settle();
    EXPECT_THAT(active(), SizeIs(1));
  }
  end_all("Failed");
  EXPECT_TRUE(is("Failed"));
  EXPECT_TRUE(is("FailureTarget"));
  EXPECT_EQ(status()["failed"], 3);
  EXPECT_THAT(lab.events, Contains("Warning BackoffLimitExceeded Job has reached the specified backoff limit"));
  lab.view.now += std::chrono::hours(1);
  settle();
  EXPECT_THAT(active(), IsEmpty());
  expect_nobody_is_held();
}

TEST_F(Jobs, CountRestartsOfContainersAsFailures) {
  add({{"backoffLimit", 1},
       {"template", {{"spec", {{"restartPolicy", "OnFailure"}, {"containers", {{{"name", "c"}, {"image", "x"}}}}}}}}});
  auto pod = lab.get(pods(), active().front());
  pod["status"]["containerStatuses"] = {{{"name", "c"}, {"restartCount", 2}}};
  lab.change(pods(), pod);
  settle();
  EXPECT_TRUE(is("Failed"));
  EXPECT_THAT(active(), IsEmpty());
  EXPECT_FALSE(status().contains("active"));
}

TEST_F(Jobs, CountNoRestartsOfPodsThatNeverRestart) {
  add({{"backoffLimit", 1}});
  auto pod = lab.get(pods(), active().front());
  pod["status"]["initContainerStatuses"] = {{{"name", "sidecar"}, {"restartCount", 9}}};
  lab.change(pods(), pod);
  settle();
  EXPECT_FALSE(is("Failed"));
  EXPECT_THAT(active(), SizeIs(1));
}

TEST_F(Jobs, EndAtTheirDeadline) {
  add({{"activeDeadlineSeconds", 30}});
  EXPECT_EQ(lab.decide(kJobs, kKey).again_after, std::chrono::seconds(30));
  lab.view.now += std::chrono::seconds(30);
  settle();
  EXPECT_TRUE(is("Failed"));
  EXPECT_THAT(active(), IsEmpty());
  EXPECT_THAT(lab.events, Contains(HasSubstr("DeadlineExceeded")));
}

TEST_F(Jobs, AreNotLateWhileTheyAreSuspended) {
  add({{"activeDeadlineSeconds", 30}});
  set({{"suspend", true}});
  lab.view.now += std::chrono::seconds(31);
  settle();
  EXPECT_FALSE(is("Failed"));
  EXPECT_TRUE(is("Suspended"));
}

TEST_F(Jobs, HaveAsManyPodsAtOnceAsTheyAreToldTo) {
  constexpr std::size_t kMostAtOnce = 100;
  lab.put(jobs(), job({{"completions", 150}, {"parallelism", 150}}));
  lab.once(kJobs, kKey);
  EXPECT_THAT(active(), SizeIs(kMostAtOnce)) << "then others are heard";
  settle();
  EXPECT_THAT(active(), SizeIs(150));
  set({{"parallelism", 2}});
  settle();
  EXPECT_THAT(active(), SizeIs(2));
  EXPECT_FALSE(status().contains("failed"));
}

TEST_F(Jobs, EndThePodsThatAreNotNeededAnyMore) {
  add({{"completions", 2}, {"parallelism", 2}});
  set({{"completions", 1}});
  auto late = lab.get(pods(), active().front());
  end(active().front(), "Succeeded");
  settle();
  EXPECT_TRUE(is("Complete"));
  EXPECT_THAT(active(), IsEmpty());
  EXPECT_FALSE(status().contains("active"));
  late["metadata"]["name"] = "late";
  late["metadata"]["uid"] = "late";
  lab.change(pods(), late);
  settle();
  EXPECT_THAT(active(), IsEmpty()) << "nor one that comes when the job is done";
}

TEST_F(Jobs, MakeNoPodsWhenTheyAreGoing) {
  add({{"completions", 2}, {"parallelism", 1}});
  auto going = lab.get(jobs(), kKey);
  going["metadata"]["deletionTimestamp"] = kube::timestamp(lab.view.now);
  lab.change(jobs(), going);
  end_all("Succeeded");
  EXPECT_THAT(active(), IsEmpty());
}

TEST_F(Jobs, WithIndexesCompleteEachOfThem) {
  add({{"completions", 4}, {"parallelism", 2}, {"completionMode", "Indexed"}});
  const auto hosts = [&] {
    std::vector<std::string> names;
    for (const auto& key : active()) names.push_back(kube::text_at(lab.get(pods(), key), "spec", "hostname"));
    std::ranges::sort(names);
    return names;
  };
  const auto end_of = [&](const char* host, const char* phase) {
    for (const auto& key : active())
      if (kube::text_at(lab.get(pods(), key), "spec", "hostname") == host) return end(key, phase);
    ADD_FAILURE() << "no " << host;
  };
  EXPECT_THAT(hosts(), ElementsAre("sums-0", "sums-1"));
  const auto pod = lab.get(pods(), active().front());
  EXPECT_THAT(kube::name_of(pod), testing::MatchesRegex("sums-[01]-.....")) << pod;
  EXPECT_EQ(pod["spec"]["containers"][0]["env"][0]["name"], "JOB_COMPLETION_INDEX");
  end_of("sums-1", "Succeeded");
  settle();
  EXPECT_THAT(hosts(), ElementsAre("sums-0", "sums-2"));
  EXPECT_EQ(status()["completedIndexes"], "1");
  end_of("sums-0", "Failed");
  settle();
  lab.view.now += std::chrono::seconds(10);
  settle();
  EXPECT_THAT(hosts(), ElementsAre("sums-0", "sums-2")) << "once more";
  end_all("Succeeded");
  EXPECT_EQ(status()["completedIndexes"], "0-2");
  EXPECT_FALSE(is("Complete"));
  EXPECT_THAT(hosts(), ElementsAre("sums-3"));
  end_all("Succeeded");
  EXPECT_TRUE(is("Complete"));
  EXPECT_EQ(status()["completedIndexes"], "0-3");
  EXPECT_EQ(status()["succeeded"], 4);
  EXPECT_EQ(status()["failed"], 1);
  expect_nobody_is_held();
}

TEST(JobIndexes, AreWrittenAsUpstream) {
  EXPECT_EQ(indexes_text({1, 3, 4, 5, 7, 8}), "1,3-5,7,8");
  EXPECT_EQ(indexes_text({}), "");
  EXPECT_THAT(indexes_in("1,3-5,7,8", 8), ElementsAre(1, 3, 4, 5, 7));
  EXPECT_THAT(indexes_in("x,-1,2-,5-4,0-99999999999", 2), ElementsAre(0, 1));
  EXPECT_THAT(indexes_in("5,3-7,5,0-2", 8), ElementsAre(5, 6, 7));
}

TEST_F(Jobs, TellOfPodsThatAreEnding) {
  add({{"completions", 2}, {"parallelism", 2}});
  auto ending = lab.get(pods(), active().front());
  ending["metadata"]["deletionTimestamp"] = kube::timestamp(lab.view.now);
  lab.change(pods(), ending);
  lab.once(kJobs, kKey);
  EXPECT_EQ(status()["terminating"], 1);
}

TEST_F(Jobs, WithoutCompletionsAreDoneWhenOneHasSucceededAndAllHaveEnded) {
  add({{"parallelism", 3}});
  EXPECT_THAT(active(), SizeIs(3));
  end(active().front(), "Succeeded");
  settle();
  EXPECT_THAT(active(), SizeIs(2)) << "no new ones";
  EXPECT_FALSE(is("Complete"));
  end_all("Succeeded");
  EXPECT_TRUE(is("Complete"));
}

TEST_F(Jobs, AreSuspendedAndGoOn) {
  add({{"suspend", true}, {"parallelism", 2}, {"completions", 2}});
  EXPECT_THAT(active(), IsEmpty());
  EXPECT_TRUE(is("Suspended"));
  EXPECT_FALSE(status().contains("startTime"));
  set({{"suspend", false}});
  lab.view.now += std::chrono::seconds(7);
  settle();
  EXPECT_THAT(active(), SizeIs(2));
  EXPECT_FALSE(is("Suspended"));
  EXPECT_EQ(status()["startTime"], kube::timestamp(lab.view.now));
  set({{"suspend", true}});
  EXPECT_THAT(lab.settle(kJobs, kKey).front(), HasSubstr("PATCH")) << "their finalizers first: they are no failures";
  EXPECT_THAT(lab.all(pods()), IsEmpty());
  EXPECT_FALSE(status().contains("failed")) << "nobody failed";
  EXPECT_FALSE(status().contains("startTime"));
}

TEST_F(Jobs, GoSomeTimeAfterTheirEnd) {
  add({{"ttlSecondsAfterFinished", 60}});
  end_all("Succeeded");
  EXPECT_EQ(lab.decide(kJobs, kKey).again_after, std::chrono::seconds(60));
  lab.view.now += std::chrono::seconds(60);
  const auto writes = lab.decide(kJobs, kKey).writes;
  ASSERT_THAT(writes, SizeIs(1));
  EXPECT_EQ(writes[0].body["propagationPolicy"], "Foreground") << "with their pods";
  lab.once(kJobs, kKey);
  EXPECT_FALSE(lab.has(jobs(), kKey));
}

TEST_F(Jobs, ThatAreGoneHoldNoPods) {
  add({{"parallelism", 2}, {"completions", 2}});
  lab.remove(jobs(), kKey);
  settle();
  expect_nobody_is_held();
}

}  // namespace
}  // namespace knetsim::controllers::test
