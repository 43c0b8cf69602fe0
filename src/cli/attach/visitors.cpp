#include "visitors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "lab_socket.h"

namespace knetsim::cli {

using nlohmann::json;

namespace {

constexpr int kNoProgram = 127;

json refusal(const std::string& reason, int code) { return {{"refused", reason}, {"code", code}}; }

Fd reserve_descriptor() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

json end_of(const ExitStatus& status) {
  if (const auto signal = status.signal()) return {{"killed", *signal}};
  return {{"ended", status.code().value_or(1)}};
}

}  // namespace

class Visitors::Visit {
 public:
  Visit(EventLoop& loop, const Host& host, Fd connection)
      : loop_(loop), host_(host), connection_(std::move(connection)) {
    incoming_ = loop_.watch(connection_, POLLIN, [this] { on_message(); });
  }

  bool over() const noexcept { return over_; }

 private:
  void on_message() try {
    const auto message = receive_message(connection_);
    if (!message) {
      leave();
      return;
    }
    const auto request = parse_json(message->text, {.depth = 8});
    const auto ask = request.at("ask").get<std::string>();
    if (ask == "describe")
      answer(json::parse(host_.describe()));
    else if (ask == "run")
      run(request, message->descriptors);
    else if (ask == "signal")
      signal(request.at("number").get<int>());
    else if (ask == "down")
      end();
    else
      answer(refusal("unknown question: " + ask, kExitCouldNotRun));
  } catch (const std::exception& error) {
    answer(refusal(error.what(), kExitCouldNotRun));
  }

  void run(const json& request, const std::vector<Fd>& descriptors) {
    if (child_ || descriptors.size() != 3)
      throw InputError("a program needs three descriptors, and a visit of its own");
    auto command =
        host_.command_on(request.at("node").get<std::string>(), request.at("argv").get<std::vector<std::string>>());
    if (command.argv.empty()) throw InputError("which program?");
    if (const auto term = request.value("term", ""); !term.empty()) command.environment["TERM"] = term;
    for (const auto& [name, value] : request.value("environment", std::map<std::string, std::string>{}))
      command.environment[name] = value;
    try {
      require_program(command.argv.front());
    } catch (const InputError& error) {
      answer(refusal(error.what(), kNoProgram));
      return;
    }
    child_ = Child::launch(command, descriptors[0], descriptors[1], descriptors[2],
                           {.terminal = request.at("terminal").get<bool>()});
    end_ = loop_.watch(child_->pidfd(), POLLIN, [this] {
      end_.end();
      answer(end_of(*child_->status()));
    });
  }

  void end() {
    leave();
    host_.end(std::move(connection_));
  }

  void signal(int number) const {
    if (child_ && !end_.ended()) ::kill(-child_->pid(), number);
  }

  void answer(const json& content) {
    try {
      send_message(connection_, content.dump(-1, ' ', false, json::error_handler_t::replace));
    } catch (const Error&) {
      leave();
    }
  }

  // The list of visits forgets this one later: its handler still runs.
  void leave() {
    over_ = true;
    incoming_.end();
    end_.end();
    child_.reset();
  }

  EventLoop& loop_;
  const Host& host_;
  Fd connection_;
  std::optional<Child> child_;
  EventLoop::Watch incoming_;
  EventLoop::Watch end_;
  bool over_ = false;
};

Visitors::Visitors(EventLoop& loop, FdView listener, Host host)
    : loop_(loop), listener_(listener), host_(std::move(host)) {
  ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);
  spare_ = reserve_descriptor();
  door_ = loop_.watch(listener_, POLLIN, [this] { welcome(); });
}

Visitors::~Visitors() = default;

Fd Visitors::accept_one() const { return Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

// Left unaccepted, it would wake the loop again and again. The spare descriptor makes room for one refusal.
void Visitors::turn_away() {
  spare_.reset();
  if (const auto connection = accept_one()) {
    try {
      send_message(
          connection,
          refusal("the lab has no descriptors left: end some of what runs in it, or raise ulimit -n", kExitCouldNotRun)
              .dump());
    } catch (const Error&) {
      // It has hung up already.
    }
  }
  spare_ = reserve_descriptor();
}

void Visitors::welcome() {
  visits_.remove_if([](const std::unique_ptr<Visit>& visit) { return visit->over(); });
  auto connection = accept_one();
  if (!connection && (errno == EMFILE || errno == ENFILE)) {
    turn_away();
    return;
  }
  // In a lab of an ordinary user the kernel gives all whom it can't name one number, 65534: should that be the user's
  // own, then it is the mode of the socket's directory that lets nobody but root in beside it.
  if (connection && peer_of(connection).uid == ::geteuid())
    visits_.push_back(std::make_unique<Visit>(loop_, host_, std::move(connection)));
}

}  // namespace knetsim::cli
