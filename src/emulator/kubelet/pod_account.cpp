#include "pod_account.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "knetsim/emulator/credentials.h"
#include "knetsim/kube/access.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "pod_names.h"

namespace knetsim::kubelet {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::int64_t kTokenLife = 365LL * 24 * 3'600;  // seconds: as upstream, which also renews them
constexpr std::chrono::milliseconds kLookAgain{100};
constexpr int kLooks = 50;

bool wants_none(const json& of) {
  const auto& automount = kube::member(of, "automountServiceAccountToken");
  return automount.is_boolean() && !automount.get<bool>();
}

}  // namespace

struct PodAccount::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, ApiCalls& of_calls, const json& of_pod, fs::path at)
      : calls(of_calls), clock(context), pod(of_pod), directory(std::move(at)) {}

  ApiCalls& calls;
  asio::steady_timer clock;
  json pod;
  fs::path directory;
  bool ready = false;
  bool asking = false;
  int looks = 0;
  std::vector<Done> waiting = {};

  std::string path() const {
    const auto& name = kube::text_at(pod, "spec", "serviceAccountName");
    return path_of(kube::namespace_of(pod), "serviceaccounts", name.empty() ? "default" : name);
  }

  void finish(const std::optional<std::string>& trouble) {
    asking = false;
    ready = !trouble;
    for (const auto& done : std::exchange(waiting, {})) done(trouble);
  }

  template <typename Handle>
  void ask(ApiCall call, Handle handle) {
    call.insist = true;
    call.done = [weak = weak_from_this(), handle](const apiserver::Answer& answer) {
      const auto self = weak.lock();
      if (!self) return;
      try {
        handle(*self, answer);
      } catch (const std::exception& error) {
        self->finish(error.what());
      }
    };
    calls.ask(std::move(call));
  }

  void look() {
    ask({.method = "GET", .target = path()}, [](State& self, const apiserver::Answer& answer) {
      constexpr unsigned kNotFound = 404;
      // Whoever makes accounts may not have come to it yet.
      if (answer.status == kNotFound && ++self.looks < kLooks) return self.look_later();
      if (!answer.good()) return self.finish("failed to fetch token: " + answer.complaint());
      if (wants_none(answer.body) && !kube::member(self.pod, "spec", "automountServiceAccountToken").is_boolean())
        return self.finish(std::nullopt);
      self.ask_token();
    });
  }

  void look_later() {
    clock.expires_after(kLookAgain);
    clock.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (const auto self = weak.lock(); self && !error) self->look();
    });
  }

  void ask_token() {
    const json bound{{"kind", "Pod"},
                     {"apiVersion", "v1"},
                     {"name", kube::name_of(pod)},
                     {"uid", kube::text_at(pod, "metadata", "uid")}};
    ask({.method = "POST",
         .target = path() + "/token",
         .body = {{"apiVersion", "authentication.k8s.io/v1"},
                  {"kind", "TokenRequest"},
                  {"spec", {{"expirationSeconds", kTokenLife}, {"boundObjectRef", bound}}}}},
        [](State& self, const apiserver::Answer& answer) {
          if (!answer.good()) return self.finish("failed to fetch token: " + answer.complaint());
          self.write(kube::text_at(answer.body, "status", "token"));
          self.finish(std::nullopt);
        });
  }

  void write(const std::string& token) const {
    constexpr unsigned kOwnersOnly = 0600;
    write_file_atomically(directory / "ca.crt", read_file(fs::path(kServiceAccountDirectory) / "ca.crt"));
    write_file_atomically(directory / "namespace", kube::namespace_of(pod));
    write_file_atomically(directory / "token", token, kOwnersOnly);
  }
};

PodAccount::PodAccount(asio::io_context& context, ApiCalls& calls, const json& pod, fs::path directory)
    : state_(std::make_shared<State>(context, calls, pod, std::move(directory))) {}

PodAccount::~PodAccount() = default;

bool PodAccount::ready() const noexcept { return state_->ready; }

void PodAccount::fetch(Done done) {
  state_->waiting.push_back(std::move(done));
  if (std::exchange(state_->asking, true)) return;
  state_->looks = 0;
  try {
    make_directories(state_->directory);
  } catch (const Error& error) {
    return state_->finish(error.what());
  }
  if (wants_none(kube::member(state_->pod, "spec"))) return state_->finish(std::nullopt);
  state_->look();
}

std::vector<Shown> PodAccount::shown() const { return {{state_->directory, kServiceAccountDirectory}}; }

}  // namespace knetsim::kubelet
