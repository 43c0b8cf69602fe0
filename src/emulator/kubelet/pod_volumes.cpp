#include "pod_volumes.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "knetsim/kube/access.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "pod_names.h"
#include "volume_directory.h"
#include "volume_files.h"

namespace knetsim::kubelet {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kFirstRetry{500};
constexpr std::chrono::milliseconds kLongestRetry{10'000};

using Clock = std::chrono::steady_clock;

}  // namespace

struct PodVolumes::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, ApiCalls& of_calls, const json& of_pod, fs::path at, std::chrono::milliseconds every)
      : calls(of_calls),
        clock(context),
        pod(of_pod),
        directory(std::move(at)),
        needs(needs_of(of_pod)),
        refresh(every) {}

  struct Token {
    std::string text;
    Clock::time_point renew;
  };
  /// One gathering of what the files are made of.
  struct Round {
    std::map<std::string, json> objects;
    std::size_t missing = 0;
    std::string trouble;
  };

  ApiCalls& calls;
  asio::steady_timer clock;
  json pod;
  fs::path directory;
  VolumeNeeds needs;
  std::chrono::milliseconds refresh;
  Told told = {};
  bool begun = false;
  bool ready = false;
  bool over = false;
  std::chrono::milliseconds retry = kFirstRetry;
  std::map<VolumeToken, Token> tokens = {};
  std::map<std::string, VolumeFiles> written = {};
  std::uint64_t generation = 0;

  void gather() {
    const auto round = std::make_shared<Round>();
    std::vector<VolumeToken> due;
    for (const auto& token : needs.tokens)
      if (const auto found = tokens.find(token); found == tokens.end() || Clock::now() >= found->second.renew)
        due.push_back(token);
    round->missing = needs.objects.size() + due.size();
    if (round->missing == 0) return write(*round);
    for (const auto& path : needs.objects)
      ask(round, {.method = "GET", .target = path}, [path, round](State&, const apiserver::Answer& answer) {
        constexpr unsigned kNotFound = 404;
        if (answer.good())
          round->objects[path] = answer.body;
        else if (answer.status != kNotFound)
          round->trouble = answer.complaint();
      });
    for (const auto& token : due) ask_token(round, token);
  }

  template <typename Handle>
  void ask(const std::shared_ptr<Round>& round, ApiCall call, Handle handle) {
    call.insist = true;
    call.done = [weak = weak_from_this(), round, handle](const apiserver::Answer& answer) {
      const auto self = weak.lock();
      if (!self || self->over) return;
      handle(*self, answer);
      if (--round->missing == 0) self->write(*round);
    };
    calls.ask(std::move(call));
  }

  void ask_token(const std::shared_ptr<Round>& round, const VolumeToken& token) {
    const auto& account = kube::text_at(pod, "spec", "serviceAccountName");
    json spec{{"expirationSeconds", token.seconds},
              {"boundObjectRef",
               {{"kind", "Pod"},
                {"apiVersion", "v1"},
                {"name", kube::name_of(pod)},
                {"uid", kube::text_at(pod, "metadata", "uid")}}}};
    if (!token.audience.empty()) spec["audiences"] = {token.audience};
    ask(round,
        {.method = "POST",
         .target =
             path_of(kube::namespace_of(pod), "serviceaccounts", account.empty() ? "default" : account) + "/token",
         .body = {{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", spec}}},
        [token, round](State& self, const apiserver::Answer& answer) {
          if (!answer.good()) {
            round->trouble = "failed to fetch token: " + answer.complaint();
            return;
          }
          const auto life = std::chrono::seconds(token.seconds);
          self.tokens[token] = {kube::text_at(answer.body, "status", "token"), Clock::now() + life * 4 / 5};
        });
  }

  void write(const Round& round) {
    std::optional<std::string> trouble;
    for (const auto& volume : kube::list_at(pod, "spec", "volumes")) {
      const auto& name = kube::text_at(volume, "name");
      try {
        if (!round.trouble.empty()) throw InputError(round.trouble);
        write_one(name, volume, round);
      } catch (const std::exception& error) {
        if (!trouble) trouble = fmt::format("MountVolume.SetUp failed for volume \"{}\" : {}", name, error.what());
      }
    }
    const bool first = !ready && !trouble;
    ready = ready || !trouble;
    if (first || trouble) told(trouble);
    if (over || (ready && needs.none() && !tells_of_pod())) return;
    clock.expires_after(ready ? refresh : std::exchange(retry, std::min(2 * retry, kLongestRetry)));
    clock.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (const auto self = weak.lock(); self && !error && !self->over) self->gather();
    });
  }

  void write_one(const std::string& name, const json& volume, const Round& round) {
    if (fs::path(name).filename() != name || name == "." || name == "..") throw InputError("it has no such name");
    const auto& ns = kube::namespace_of(pod);
    const FindObject find = [&](const std::string& plural, const std::string& called) -> json {
      const auto found = round.objects.find(path_of(ns, plural, called));
      return found == round.objects.end() ? json() : found->second;
    };
    const FindToken token = [&](const VolumeToken& wanted) { return tokens.at(wanted).text; };
    auto files = files_of(pod, volume, find, token);
    const auto place = directory / name;
    if (volume.contains("hostPath")) return;
    if (const auto before = written.find(name); before != written.end() && before->second == files) return;
    make_directories(place);
    if (is_read_only(volume))
      write_volume(place, files, ++generation);
    else
      fs::permissions(place, fs::perms::all);
    written[name] = std::move(files);
  }

  bool tells_of_pod() const {
    const auto tells = [](const json& one) { return one.contains("downwardAPI"); };
    return std::ranges::any_of(kube::list_at(pod, "spec", "volumes"), [&](const json& volume) {
      return tells(volume) || std::ranges::any_of(kube::list_at(volume, "projected", "sources"), tells);
    });
  }
};

PodVolumes::PodVolumes(asio::io_context& context, ApiCalls& calls, const json& pod, fs::path directory,
                       std::chrono::milliseconds refresh)
    : state_(std::make_shared<State>(context, calls, pod, std::move(directory), refresh)) {}

PodVolumes::~PodVolumes() = default;

bool PodVolumes::ready() const noexcept { return state_->ready; }

void PodVolumes::begin(Told told) {
  if (std::exchange(state_->begun, true)) return;
  state_->told = std::move(told);
  state_->gather();
}

void PodVolumes::update(const json& pod) {
  const auto is_other = [&](const char* what) {
    return kube::member(state_->pod, "metadata", what) != kube::member(pod, "metadata", what);
  };
  const bool other = is_other("labels") || is_other("annotations");
  state_->pod = pod;
  if (other && state_->ready && !state_->over && state_->tells_of_pod()) state_->gather();
}

std::vector<Mount> PodVolumes::mounts_of(const json& container, const Environment& environment) const {
  constexpr std::size_t kMostMounts = 1'000;
  if (kube::list_at(container, "volumeMounts").size() > kMostMounts)
    throw NotYet("CreateContainerConfigError", fmt::format("more than {} volumeMounts aren't offered", kMostMounts));
  std::vector<Mount> mounts;
  for (const auto& one : kube::list_at(container, "volumeMounts")) {
    const auto& name = kube::text_at(one, "name");
    const auto& volumes = kube::list_at(state_->pod, "spec", "volumes");
    const auto volume =
        std::ranges::find_if(volumes, [&](const json& each) { return kube::text_at(each, "name") == name; });
    const auto refused = [&](const std::string& what) {
      return NotYet("CreateContainerConfigError",
                    fmt::format("failed to prepare {} for volumeMount \"{}\" of container \"{}\"", what, name,
                                kube::text_at(container, "name")));
    };
    if (volume == volumes.end()) throw refused("volume");
    auto sub = kube::text_at(one, "subPath");
    if (sub.empty()) sub = expanded(kube::text_at(one, "subPathExpr"), environment);
    fs::path from;
    try {
      from = host_path_of(*volume);
      const bool own = from.empty();
      if (own) from = state_->directory / name;
      if (!sub.empty()) from = sub_path(from, sub, own);
    } catch (const Error& error) {
      throw refused(fmt::format("subPath ({})", error.what()));
    }
    mounts.push_back({.from = std::move(from),
                      .at = kube::text_at(one, "mountPath"),
                      .read_only = is_read_only(*volume) || kube::bool_at(one, "readOnly")});
  }
  return mounts;
}

void PodVolumes::remove() {
  state_->over = true;
  state_->clock.cancel();
  std::error_code ignored;
  fs::remove_all(state_->directory, ignored);
}

}  // namespace knetsim::kubelet
