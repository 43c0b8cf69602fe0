#include "harness.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>

#include "knetsim/netlink/link.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::bench {

namespace {

using std::chrono::steady_clock;

/// A namespace whose end can be seen: its veth's peer, here, goes with it.
class Canary {
 public:
  Canary() : home_(NetNs::current()), ns_(NetNs::create()) {
    netlink::create_veth({.ns = home_, .name = "canary"}, {.ns = *ns_, .name = "canary"});
  }
  void wait_until_dissolved() {
    ns_.reset();
    netlink::wait_for_link_gone(home_, "canary", std::chrono::seconds(60));
  }

 private:
  NetNs home_;
  std::optional<NetNs> ns_;
};

struct Running {
  Fd hold;   ///< the child lives until this is closed
  Fd ready;  ///< a line comes when everything stands
  Child child;
};

Running start(const std::string& scenario) {
  auto hold = Pipe::create();
  auto ready = Pipe::create();
  auto child = Child::launch({.argv = {"/proc/self/exe", "--scenario", scenario}}, hold.read, ready.write,
                             FdView(STDERR_FILENO));
  return {std::move(hold.write), std::move(ready.read), std::move(child)};
}

std::string read_line(const Fd& fd) {
  std::string line;
  for (char c = 0; ::read(fd.get(), &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

}  // namespace

double seconds_since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

double Series::median() const {
  auto sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const auto middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted.at(middle) : (sorted.at(middle - 1) + sorted.at(middle)) / 2;
}

double Series::min() const { return *std::min_element(values_.begin(), values_.end()); }
double Series::max() const { return *std::max_element(values_.begin(), values_.end()); }

nlohmann::json to_json(const Series& series) {
  return {{"median", series.median()}, {"min", series.min()}, {"max", series.max()}, {"runs", series.size()}};
}

std::string text_of(const Figure& figure) {
  const auto& values = figure.values;
  return fmt::format("{} {:.2f} ms ({:.2f} - {:.2f}; budget {:.2f}) {}", figure.name, values.median() * 1000,
                     values.min() * 1000, values.max() * 1000, figure.budget * 1000,
                     values.median() <= figure.budget ? "✓" : "✗");
}

nlohmann::json to_json(const Figure& figure) {
  auto json = to_json(figure.values);
  json["budget"] = figure.budget;
  json["within_budget"] = figure.values.median() <= figure.budget;
  return json;
}

Life time_life(const std::function<nlohmann::json()>& up, const std::function<void()>& down) {
  Canary canary;
  const auto begin = steady_clock::now();
  auto report = up();
  const auto stood = seconds_since(begin);
  const auto told = steady_clock::now();
  down();
  const auto exit = seconds_since(told);
  const auto ended = steady_clock::now();
  canary.wait_until_dissolved();
  return {.up = stood, .exit = exit, .drain = seconds_since(ended), .report = std::move(report)};
}

Life time_scenario(const std::string& scenario) {
  std::optional<Running> child;
  const auto up = [&]() -> nlohmann::json {
    child = start(scenario);
    const auto line = read_line(child->ready);
    if (line.empty()) throw Error(fmt::format("scenario {} failed", scenario));
    return nlohmann::json::parse(line);
  };
  const auto down = [&] {
    child->hold.reset();
    const auto end = child->child.wait(std::chrono::minutes(5));
    if (!end.success()) throw Error(fmt::format("scenario {} failed: {}", scenario, end.describe()));
  };
  return time_life(up, down);
}

int live(Hold& hold) {
  Sandbox::enter();
  const auto line = hold.build().dump() + "\n";
  if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 2;
  char ignored = 0;
  while (::read(STDIN_FILENO, &ignored, 1) > 0) {
  }
  return 0;
}

int write_json(const std::string& file, const nlohmann::json& document) {
  if (file.empty()) return 0;
  try {
    write_file_atomically(file, document.dump(2) + "\n");
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}

}  // namespace knetsim::bench
