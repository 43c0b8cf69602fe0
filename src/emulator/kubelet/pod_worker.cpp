#include "pod_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/replace.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <utility>

#include "../log_times.h"
#include "knetsim/kube/access.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "pod_names.h"
#include "pod_run.h"

namespace knetsim::kubelet {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using boost::system::error_code;
using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kLongestStandAgain{10'000};

kube::Time wall_clock() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }
/// A message of ours on one line, as waiting containers and Events have theirs.
std::string on_one_line(std::string text) {
  boost::replace_all(text, "\n  remedy: ", "; remedy: ");
  boost::replace_all(text, "\n", "; ");
  return text;
}

}  // namespace

PodWorker::PodWorker(Surroundings around, Worker& worker, json pod)
    : around_(around),
      worker_(worker),
      pod_(std::move(pod)),
      uid_(kube::text_at(pod_, "metadata", "uid")),
      directory_(worker.directory() / "pods" / uid_),
      life_(pod_),
      host_network_(kube::bool_at(pod_, "spec", "hostNetwork")),
      account_(around.context, around.writes, pod_, directory_ / "serviceaccount"),
      volumes_(around.context, around.reads, pod_, directory_ / "volumes"),
      events_(around.writes),
      clock_(around.context),
      life_line_(Pipe::create()) {
  place_.node_addresses = worker.addresses();
  place_.since = wall_clock();
  around_.registry.add(kube::namespace_of(pod_), kube::name_of(pod_));
}

PodWorker::~PodWorker() = default;

const json& PodWorker::spec_of(const std::string& name) const {
  for (const auto* const list : {"initContainers", "containers", "ephemeralContainers"})
    for (const auto& one : kube::list_at(pod_, "spec", list))
      if (kube::text_at(one, "name") == name) return one;
  return kube::null_json();
}

std::chrono::seconds PodWorker::grace() const {
  return seconds_in(kube::member(pod_, "spec", "terminationGracePeriodSeconds"));
}

const Node& PodWorker::node() const {
  if (container_ != nullptr) return *container_;
  return worker_;
}

PodContainer PodWorker::where(const std::string& name) const {
  return {.node = worker_.name(), .ns = kube::namespace_of(pod_), .pod = kube::name_of(pod_), .container = name};
}

void PodWorker::update(json pod) {
  pod_ = std::move(pod);
  if (over_) return;
  volumes_.update(pod_);
  for (const auto& one : kube::list_at(pod_, "spec", "ephemeralContainers")) life_.add_ephemeral(one);
  for (const auto* const list : {"initContainers", "containers"})
    for (const auto& spec : kube::list_at(pod_, "spec", list)) {
      const auto& name = kube::text_at(spec, "name");
      auto& record = life_.container(name);
      if (record.image == kube::text_at(spec, "image")) continue;
      record.image = kube::text_at(spec, "image");
      record.back_off = {};
      if (runs_.contains(name))
        stop(name, fmt::format("Container {} definition changed, will be restarted", name), grace());
    }
  if (!kube::text_at(pod_, "metadata", "deletionTimestamp").empty())
    terminate(seconds_in(kube::member(pod_, "metadata", "deletionGracePeriodSeconds")));
  turn_soon();
}

void PodWorker::vanish() {
  over_ = true;
  clock_.cancel();
  around_.registry.forget(kube::namespace_of(pod_), kube::name_of(pod_));
  runs_.clear();
  give_network_back();
  volumes_.remove();
}

void PodWorker::turn_soon() {
  if (std::exchange(turn_is_due_, true)) return;
  asio::post(around_.context, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->turn();
  });
}

void PodWorker::turn() {
  turn_is_due_ = false;
  if (over_) return;
  if (life_.terminating()) {
    const bool main_runs = std::any_of(runs_.begin(), runs_.end(), [this](const auto& run) {
      return life_.container(run.first).role != Role::sidecar;
    });
    if (!main_runs)
      for (const auto& [name, run] : runs_)
        if (!run->stopping) stop(name, "Stopping container " + name, deletion_grace_);
    report();
    if (runs_.empty()) leave();
    return;
  }
  if (life_.finished() && runs_.empty()) {
    if (stands_) give_network_back();
    report();
    return;
  }
  if (!stand() || !has_volumes()) {
    report();
    return;
  }
  std::set<std::string> looping;
  for (const auto& record : life_.containers())
    if (record.reason == "CrashLoopBackOff") looping.insert(record.name);
  const auto steps = life_.next(steady_now());
  for (const auto& record : life_.containers())
    if (record.reason == "CrashLoopBackOff" && !looping.contains(record.name))
      events_.tell(pod_, true, "BackOff",
                   fmt::format("Back-off restarting failed container {} in pod {}_{}({})", record.name,
                               kube::name_of(pod_), kube::namespace_of(pod_), uid_),
                   record.name);
  for (const auto& name : steps.stop)
    if (runs_.contains(name) && !runs_.at(name)->stopping) stop(name, "Stopping container " + name, grace());
  for (const auto& name : steps.start)
    if (starting_.insert(name).second) start(name);
  if (steps.again) {
    clock_.expires_at(*steps.again);
    clock_.async_wait([weak = weak_from_this()](error_code error) {
      if (const auto self = weak.lock(); self && !error) self->turn();
    });
  }
  report();
}

/// Whether its network is there.
bool PodWorker::stand() {
  if (stands_) return true;
  if (steady_now() < may_stand_) return false;
  try {
    make_directories(directory_);
    if (host_network_) {
      place_.addresses = worker_.addresses();
    } else {
      container_ = &around_.cluster.create_pod(worker_, container_name(pod_), hostname_of(pod_));
      place_.addresses = container_->addresses();
    }
    stands_ = true;
    return true;
  } catch (const Error& error) {
    events_.tell(pod_, true, "FailedCreatePodSandBox", "Failed to create pod sandbox: " + on_one_line(error.what()));
    may_stand_ = steady_now() + stand_again_;
    clock_.expires_at(may_stand_);
    stand_again_ = std::min(2 * stand_again_, kLongestStandAgain);
    clock_.async_wait([weak = weak_from_this()](error_code cancelled) {
      if (const auto self = weak.lock(); self && !cancelled) self->turn();
    });
    return false;
  }
}

/// Whether its volumes are there; they are made when it stands, before anything runs.
bool PodWorker::has_volumes() {
  volumes_.begin([this](const std::optional<std::string>& trouble) {
    if (trouble) events_.tell(pod_, true, "FailedMount", on_one_line(*trouble));
    turn_soon();
  });
  return volumes_.ready();
}

void PodWorker::give_network_back() {
  life_line_.write.reset();
  stands_ = false;
  if (container_ == nullptr) return;
  try {
    around_.cluster.retire_pod(*std::exchange(container_, nullptr));
  } catch (const Error& error) {
    events_.tell(pod_, true, "FailedKillPod", on_one_line(error.what()));
  }
}

// First its service account is there, as its programs look for it at once.
void PodWorker::start(const std::string& name) {
  if (account_.ready()) return gather(name);
  account_.fetch([weak = weak_from_this(), name](const std::optional<std::string>& trouble) {
    const auto self = weak.lock();
    if (!self) return;
    if (!trouble) return self->gather(name);
    self->starting_.erase(name);
    if (self->over_ || self->life_.terminating()) return;
    self->refuse(name, "CreateContainerConfigError", *trouble);
    self->turn_soon();
  });
}

// Asks for what its environment is made of; goes on with start_with().
void PodWorker::gather(const std::string& name) {
  struct Gathering {
    std::map<std::string, json> objects;
    std::size_t missing;
  };
  const auto paths = references_of(pod_, spec_of(name));
  const auto gathering = std::make_shared<Gathering>(Gathering{{}, paths.size()});
  for (const auto& path : paths)
    around_.reads.ask({.method = "GET",
                       .target = path,
                       .insist = true,
                       .done = [weak = weak_from_this(), gathering, path, name](const apiserver::Answer& answer) {
                         if (answer.good()) gathering->objects[path] = answer.body;
                         if (--gathering->missing > 0) return;
                         if (const auto self = weak.lock()) self->start_with(name, gathering->objects);
                       }});
}

void PodWorker::start_with(const std::string& name, const std::map<std::string, json>& objects) {
  starting_.erase(name);
  if (over_ || life_.terminating() || !stands_ || runs_.contains(name)) return;
  const auto& ns = kube::namespace_of(pod_);
  const FindObject find = [&](const std::string& plural, const std::string& called) -> json {
    const auto found = objects.find(path_of(ns, plural, called));
    return found == objects.end() ? json() : found->second;
  };
  std::vector<json> services;
  for (const auto& [path, object] : objects)
    if (path.ends_with("/services"))
      for (const auto& item : kube::list_at(object, "items")) services.push_back(item);
  if (const auto found = objects.find(kKubernetes); found != objects.end()) services.push_back(found->second);
  auto pod = pod_;  // with the addresses that were reported, whether the API has told of them or not
  if (reported_.is_object()) pod["status"].update(reported_);
  try {
    const auto& spec = spec_of(name);
    launch(name, spec, environment_of(pod, spec, service_variables(services), find));
  } catch (const NotYet& error) {
    refuse(name, error.reason(), error.what());
  } catch (const std::exception& error) {
    refuse(name, "RunContainerError", error.what());
  }
  turn_soon();
}

void PodWorker::refuse(const std::string& name, const std::string& reason, const std::string& message) {
  const auto text = on_one_line(message);
  events_.tell(pod_, true, "Failed", "Error: " + text, name);
  life_.refused(name, reason, text, steady_now());
}

Command PodWorker::command_in(const std::string& name, const Environment& environment,
                              std::vector<std::string> argv) const {
  auto command = node().command(std::move(argv));
  command.trust = Trust::pod;
  command.environment["HOME"] = command.directory.string();
  command.environment["HOSTNAME"] = host_network_ ? worker_.name() : hostname_of(pod_);
  for (const auto& [variable, value] : environment) command.environment[variable] = value;
  const auto& directory = kube::text_at(spec_of(name), "workingDir");
  command.directory = directory.empty() ? directory_ : fs::path(directory);
  return command;
}

/// What a container's programs see in other places than the worker has it: later ones cover earlier ones.
std::vector<Shown> PodWorker::view_of(const json& spec, const Environment& environment) const {
  const auto home = directory_ / kube::text_at(spec, "name");
  auto mounts = unpack_image(spec, home);
  const auto volumes = volumes_.mounts_of(spec, environment);
  if (mounts.empty() && volumes.empty()) return account_.shown();
  for (const auto& one : account_.shown()) mounts.push_back({one.from, one.at.string(), true});
  mounts.insert(mounts.end(), volumes.begin(), volumes.end());
  return view_with(home / "root", std::move(mounts));
}

void PodWorker::launch(const std::string& name, const json& spec, const Environment& environment) {
  const auto home = directory_ / name;
  make_directories(home);
  const auto view = view_of(spec, environment);
  const auto argv = program_of(spec, environment, home, view);
  events_.tell(pod_, false, "Pulled",
               fmt::format("Container image \"{}\" already present on machine", kube::text_at(spec, "image")), name);

  const int number = life_.container(name).runs;
  const auto log_of = [&](int run) { return home / fmt::format("{}.log", run); };
  std::error_code ignored;
  fs::remove(log_of(number - 2), ignored);
  fs::remove(times_of(log_of(number - 2)), ignored);
  const auto started = command_in(name, environment, argv);
  RegisteredContainer registered{.command = started, .shown = view, .runs = true, .log = log_of(number)};
  registered.command.argv.clear();
  if (number > 0) registered.previous = log_of(number - 1);
  auto program = start_program(around_.context, started, view, spec, log_of(number));
  registered.in = std::move(program.in);
  registered.in_once = program.in_once;
  registered.terminal = program.terminal;
  events_.tell(pod_, false, "Created", "Created container: " + name, name);
  registered.ended = duplicate(program.child.pidfd());
  registered.gone = duplicate(life_line_.read);
  const auto when_ended = [weak = weak_from_this(), name] {
    if (const auto self = weak.lock()) self->has_ended(name);
  };
  auto& run =
      *(runs_[name] = std::make_unique<Run>(around_.context, name, std::move(program.child), environment, when_ended));
  run.shown = view;
  try {
    run.log_clock = around_.clocks.start(log_of(number));
  } catch (const SystemError&) {
    // Whoever asks for times is told that there are none.
  }
  around_.registry.put(where(name), std::move(registered));
  life_.started(name, fmt::format("knetsim://{}/{}/{}", uid_, name, number), spec.contains("startupProbe"),
                spec.contains("readinessProbe"), steady_now(), wall_clock());
  events_.tell(pod_, false, "Started", "Started container " + name, name);
  begin_probes(run);
  if (const auto& hook = kube::member(spec, "lifecycle", "postStart"); !hook.is_null()) run_hook(run, hook);
}

void PodWorker::run_hook(Run& run, const json& hook) {
  run.hook = std::make_unique<HandlerRun>(
      around_.context, hook, handler_place(run.name, run), std::max(grace(), std::chrono::seconds(30)),
      [weak = weak_from_this(), name = run.name](const std::optional<std::string>& failure) {
        const auto self = weak.lock();
        if (!self || !failure || !self->runs_.contains(name)) return;
        self->events_.tell(self->pod_, true, "FailedPostStartHook", "PostStartHook failed: " + *failure, name);
        self->stop(name, "FailedPostStartHook", self->grace());
      });
}

void PodWorker::has_ended(const std::string& name) {
  const auto found = runs_.find(name);
  if (found == runs_.end()) return;  // killed meanwhile
  auto& run = *found->second;
  run.kill();  // what it has left behind; before its number is given to another
  const auto status = run.child.status();
  constexpr int kBySignal = 128;
  const int code = status ? status->code().value_or(kBySignal + status->signal().value_or(0)) : kBySignal + SIGKILL;
  around_.registry.ended(where(name));
  runs_.erase(name);
  life_.ended(name, {.exit_code = code, .finished = wall_clock()}, steady_now());
  turn_soon();
}

void PodWorker::stop(const std::string& name, const std::string& why, std::chrono::milliseconds grace) {
  auto& run = *runs_.at(name);
  const auto deadline = steady_now() + grace;
  if (run.stopping && deadline >= run.deadline) return;
  run.deadline = deadline;
  run.clock.expires_at(deadline);
  run.clock.async_wait([weak = weak_from_this(), name](error_code error) {
    const auto self = weak.lock();
    if (!self || error) return;
    if (const auto found = self->runs_.find(name); found != self->runs_.end() && found->second->stopping)
      found->second->kill();
  });
  if (std::exchange(run.stopping, true)) return;
  events_.tell(pod_, false, "Killing", why, name);
  run.probes.clear();
  const auto& hook = kube::member(spec_of(name), "lifecycle", "preStop");
  if (hook.is_null() || grace.count() <= 0) {
    send_end(run);
    return;
  }
  run.hook = std::make_unique<HandlerRun>(around_.context, hook, handler_place(name, run), grace,
                                          [weak = weak_from_this(), name](const std::optional<std::string>& failure) {
                                            const auto self = weak.lock();
                                            if (!self || !self->runs_.contains(name)) return;
                                            if (failure)
                                              self->events_.tell(self->pod_, true, "FailedPreStopHook",
                                                                 "PreStopHook failed: " + *failure, name);
                                            self->send_end(*self->runs_.at(name));
                                          });
}

// To itself alone, as to a container's first process; what it leaves behind is killed when it has ended.
void PodWorker::send_end(Run& run) { ::kill(run.child.pid(), SIGTERM); }

HandlerPlace PodWorker::handler_place(const std::string& name, const Run& run) const {
  return {.from = &worker_.netns(),
          .host = place_.addresses.empty() ? "" : place_.addresses.front().to_string(),
          .container = spec_of(name),
          .command = [this, name, environment = run.environment](
                         std::vector<std::string> argv) { return command_in(name, environment, std::move(argv)); },
          .shown = run.shown,
          .output = directory_ / name / "handler.log"};
}

void PodWorker::terminate(std::chrono::seconds grace) {
  life_.terminate();
  deletion_grace_ = grace;
  clock_.cancel();
  for (const auto& [name, run] : runs_)
    if (life_.container(name).role != Role::sidecar || grace.count() == 0)
      stop(name, "Stopping container " + name, grace);
}

// Everything has ended: the Pod may go.
void PodWorker::leave() {
  over_ = true;
  around_.registry.forget(kube::namespace_of(pod_), kube::name_of(pod_));
  give_network_back();
  volumes_.remove();
  around_.writes.ask({.method = "DELETE",
                      .target = path_of(kube::namespace_of(pod_), "pods", kube::name_of(pod_)),
                      .body = {{"gracePeriodSeconds", 0}, {"preconditions", {{"uid", uid_}}}},
                      .insist = true});
}

void PodWorker::report() {
  auto base = pod_;
  auto conditions = json::array();
  const auto is_own = [](const json& one) {
    return std::find(kOwnConditions.begin(), kOwnConditions.end(), kube::text_at(one, "type")) != kOwnConditions.end();
  };
  for (const auto& one : kube::list_at(reported_, "conditions"))
    if (is_own(one)) conditions.push_back(one);
  for (const auto& one : kube::list_at(pod_, "status", "conditions"))
    if (!is_own(one) || reported_.is_null()) conditions.push_back(one);
  base["status"]["conditions"] = std::move(conditions);
  auto status = pod_status(base, life_, place_, wall_clock());
  if (status == reported_) return;
  reported_ = std::move(status);
  around_.writes.ask({.method = "PATCH",
                      .target = path_of(kube::namespace_of(pod_), "pods", kube::name_of(pod_)) + "/status",
                      .body = {{"metadata", {{"uid", uid_}}}, {"status", reported_}},
                      .type = "application/merge-patch+json",
                      .insist = true,
                      .key = "status of " + uid_});
}

}  // namespace knetsim::kubelet
