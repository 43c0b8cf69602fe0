#include "kubelet.h"

#include <fmt/format.h>
#include <sys/syscall.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <fstream>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <thread>
#include <utility>

#include "../kube_objects.h"
#include "api_calls.h"
#include "knetsim/apiserver/watch.h"
#include "knetsim/emulator/cluster.h"
#include "knetsim/kube/access.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "pod_registry.h"
#include "pod_worker.h"
#include "process_end.h"

namespace knetsim {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using kubelet::ApiCalls;
using kubelet::PodWorker;
using nlohmann::json;

namespace {

constexpr std::chrono::seconds kRemovedWithin{20};

void signal_by(FdView pidfd, int number) { ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0); }

std::string pod_path(const json& pod) {
  return fmt::format("/api/v1/namespaces/{}/pods/{}", kube::namespace_of(pod), kube::name_of(pod));
}

}  // namespace

struct Kubelet::State {
  /// A container of the topology, or one that was made at the prompt, whose Pod was deleted.
  struct Leaving {
    Leaving(asio::io_context& context, json of_pod, Daemon::Handle its_program, std::function<void()> when_ended)
        : pod(std::move(of_pod)),
          program(std::move(its_program)),
          ended(context, program->pidfd(), std::move(when_ended)),
          clock(context) {}

    json pod;
    Daemon::Handle program;
    kubelet::ProcessEnd ended;
    asio::steady_timer clock;  // the end of the grace
  };

  State(Cluster& of_cluster, std::uint16_t port, kubelet::PodRegistry& registry, std::filesystem::path log_file)
      : cluster(of_cluster),
        log(std::move(log_file)),
        server(asio::ip::address_v4::loopback(), port),
        reads(context, server),
        writes(context, server),
        clocks(context),
        around{context, cluster, reads, writes, registry, clocks},
        pods(context, {server}, {.path = "/api/v1/pods"}, {.changed = [this](const json* before, const json* now) {
               try {
                 changed(before, now);
               } catch (const std::exception& error) {  // one Pod's; the others go on
                 tell(error);
               }
             }}) {
    for (auto* worker : cluster.workers()) workers[kube_name(worker->name())] = worker;
  }

  Cluster& cluster;
  std::filesystem::path log;
  std::map<std::string, Worker*> workers;  // by the names of their Nodes
  asio::io_context context{1};
  tcp::endpoint server;
  ApiCalls reads;
  ApiCalls writes;
  LogClocks clocks;
  kubelet::Surroundings around;
  std::map<std::string, std::shared_ptr<PodWorker>> running;      // by namespace/name
  std::map<std::string, std::unique_ptr<Leaving>> leaving;        // by uid
  std::list<std::pair<std::string, std::promise<void>>> awaited;  // uids that somebody waits for the end of
  apiserver::Informer pods;
  std::thread thread;

  void run() {
    const auto work = asio::make_work_guard(context);
    while (!context.stopped()) try {
        context.run();
      } catch (const std::exception& error) {
        tell(error);
      }
  }

  void tell(const std::exception& error) const { std::ofstream(log, std::ios::app) << error.what() << '\n'; }

  void changed(const json* before, const json* now) {
    const auto& pod = now != nullptr ? *now : *before;
    const auto key = apiserver::Informer::key_of(pod);
    const auto& uid = kube::text_at(pod, "metadata", "uid");
    // One of the same name may have taken its place between two looks.
    if (const auto found = running.find(key);
        found != running.end() && (now == nullptr || found->second->uid() != uid)) {
      found->second->vanish();
      is_gone(found->second->uid());
      running.erase(found);
    }
    if (before != nullptr && (now == nullptr || kube::text_at(*before, "metadata", "uid") != uid))
      cluster.retire_published(kube::text_at(*before, "metadata", "uid"));
    if (now != nullptr) is_there(key, uid, pod);
  }

  void is_there(const std::string& key, const std::string& uid, const json& pod) {
    if (const auto found = running.find(key); found != running.end()) return found->second->update(pod);
    const auto worker = workers.find(kube::text_at(pod, "spec", "nodeName"));
    if (worker == workers.end()) return;
    if (cluster.is_published(uid)) {
      if (!kube::text_at(pod, "metadata", "deletionTimestamp").empty()) return let_go(pod);
      refuse_ephemeral(pod);
      return;
    }
    const auto made = std::make_shared<PodWorker>(around, *worker->second, pod);
    running[key] = made;
    made->update(pod);
  }

  /// In a container of the topology there are none; who waits for one hears it.
  void refuse_ephemeral(const json& pod) {
    auto statuses = json::array();
    for (const auto& one : kube::list_at(pod, "spec", "ephemeralContainers"))
      statuses.push_back({{"name", kube::text_at(one, "name")},
                          {"image", kube::text_at(one, "image")},
                          {"imageID", ""},
                          {"ready", false},
                          {"restartCount", 0},
                          {"state",
                           {{"waiting",
                             {{"reason", "CreateContainerError"},
                              {"message", "a container of the topology takes none; remedy: kubectl exec"}}}}}});
    if (statuses.empty() || statuses == kube::list_at(pod, "status", "ephemeralContainerStatuses")) return;
    writes.ask({.method = "PATCH",
                .target = pod_path(pod) + "/status",
                .body = {{"status", {{"ephemeralContainerStatuses", std::move(statuses)}}}},
                .type = "application/merge-patch+json"});
  }

  void is_gone(const std::string& uid) {
    for (auto one = awaited.begin(); one != awaited.end();) {
      if (one->first == uid) one->second.set_value();
      one = one->first == uid ? awaited.erase(one) : std::next(one);
    }
  }

  /// Its program has the grace of the deletion to end by itself.
  void let_go(const json& pod) {
    const auto& uid = kube::text_at(pod, "metadata", "uid");
    const auto grace = kubelet::seconds_in(kube::member(pod, "metadata", "deletionGracePeriodSeconds"));
    if (const auto found = leaving.find(uid); found != leaving.end()) return set_clock(uid, *found->second, grace);
    const auto program = cluster.end_program_of_published(uid);
    if (!program) return take_away(uid, pod);
    const auto when_ended = [this, uid] {
      const auto found = leaving.find(uid);
      if (found == leaving.end()) return;
      take_away(uid, found->second->pod);
      leaving.erase(uid);
    };
    auto& one = *(leaving[uid] = std::make_unique<Leaving>(context, pod, program, when_ended));
    signal_by(program->pidfd(), SIGTERM);
    set_clock(uid, one, grace);
  }

  void set_clock(const std::string& uid, Leaving& one, std::chrono::seconds grace) {
    one.clock.expires_after(grace);
    one.clock.async_wait([this, uid](error_code error) {
      if (const auto found = leaving.find(uid); found != leaving.end() && !error)
        signal_by(found->second->program->pidfd(), SIGKILL);
    });
  }

  void take_away(const std::string& uid, const json& pod) {
    cluster.retire_published(uid);
    writes.ask({.method = "DELETE",
                .target = pod_path(pod),
                .body = {{"gracePeriodSeconds", 0}, {"preconditions", {{"uid", uid}}}},
                .insist = true});
  }

  /// In the thread of the context.
  void remove(const std::string& container, std::promise<void> done) {
    for (const auto& [key, worker] : running)
      if (worker->container() != nullptr && worker->container()->short_name() == container) {
        awaited.emplace_back(worker->uid(), std::move(done));
        writes.ask({.method = "DELETE",
                    .target = pod_path(worker->pod()),
                    .body = {{"gracePeriodSeconds", 0}, {"preconditions", {{"uid", worker->uid()}}}},
                    .insist = true});
        return;
      }
    done.set_exception(std::make_exception_ptr(InputError(fmt::format("{} stands for no Pod (any more)", container))));
  }
};

Kubelet::Kubelet(Cluster& cluster, std::uint16_t port, kubelet::PodRegistry& registry, std::filesystem::path log)
    : state_(std::make_unique<State>(cluster, port, registry, std::move(log))) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Kubelet::~Kubelet() {
  state_->context.stop();
  state_->thread.join();
}

void Kubelet::remove(const std::string& container) {
  std::promise<void> done;
  auto gone = done.get_future();
  asio::post(state_->context,
             [state = state_.get(), container, promise = std::make_shared<std::promise<void>>(std::move(done))] {
               state->remove(container, std::move(*promise));
             });
  if (gone.wait_for(kRemovedWithin) != std::future_status::ready)
    throw StillMissing(fmt::format("the end of {}", container), kRemovedWithin);
  gone.get();
}

}  // namespace knetsim
