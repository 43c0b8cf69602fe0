#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "event_loop.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli {

/// What visitors may ask of a lab.
struct Host {
  /// A JSON object for `knetsim ps`.
  std::function<std::string()> describe;
  /// The command for a program on a node; throws InputError if there is no such node.
  std::function<knetsim::Command(const std::string& node, std::vector<std::string> argv)> command_on;
  /// Take everything down. Whoever asked for it waits until this is closed.
  std::function<void(Fd waiting)> end;
};

/// Those who come through a lab's socket: each connection is one question, and a program that a visitor has started
/// ends with the visitor. Other users are turned away. Served while the loop runs.
class Visitors {
 public:
  Visitors(EventLoop& loop, FdView listener, Host host);
  ~Visitors();
  Visitors(const Visitors&) = delete;
  Visitors& operator=(const Visitors&) = delete;

 private:
  class Visit;
  Fd accept_one() const;
  void turn_away();
  void welcome();

  EventLoop& loop_;
  FdView listener_;
  Host host_;
  std::list<std::unique_ptr<Visit>> visits_;
  Fd spare_;
  EventLoop::Watch door_;
};

}  // namespace knetsim::cli
