#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "errand.h"
#include "event_loop.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/process.h"
#include "terminal.h"

namespace knetsim::cli {

/// Runs a program on a node of the lab at the other end of this connection: on a pseudo terminal if stdin and stdout
/// are terminals, else on our own three, with those of our environment that `variables` names. Returns the exit code
/// for `knetsim exec`: the program's, 128 + the number of the signal that ended it, 127 if it isn't there, 2 if it
/// couldn't be run.
/// An empty name of a node stands for kubectl, whose arguments `argv` are then: it runs outside of all nodes, in our
/// working directory.
int run_in_lab(FdView connection, const std::string& node, const std::vector<std::string>& argv, Terminal& terminal,
               const std::vector<std::string>& variables);

/// Has a line done as if it were typed at the prompt of the lab at the other end. What it prints comes to our stdout
/// and stderr; programs in front have our stdin, on a pseudo terminal as with run_in_lab(). Returns the exit code for
/// `knetsim do`: how the line ended, 2 if it couldn't be begun.
int do_in_lab(FdView connection, const std::string& line, Terminal& terminal);

/// Prints what the lab at the other end says of packets between two; the exit code for `knetsim explain`.
int explain_in_lab(FdView connection, const std::string& from, const std::string& to, bool verbose, bool json, bool dry,
                   Terminal& terminal);

/// The lab's description of itself, as JSON; empty if it is busy for longer than a moment, or gone.
std::string describe_lab(FdView connection);
/// All that stands in it, likewise.
std::string inspect_lab(FdView connection);

/// Asks for the end.
void ask_for_the_end(FdView connection);
/// Waits until everything in it is gone; false if it still stands when the budget is over.
bool wait_for_the_end(FdView connection, std::chrono::milliseconds budget);

/// What visitors may ask of a lab.
struct Host {
  /// A JSON object for `knetsim ps`.
  std::function<nlohmann::json()> describe;
  /// The same for `knetsim inspect`.
  std::function<nlohmann::json()> inspect;
  /// The command for a program on a node; throws InputError if there is no such node.
  std::function<knetsim::Command(const std::string& node, std::vector<std::string> argv)> command_on;
  /// The same for kubectl with these arguments; throws Error if there is no API to ask.
  std::function<knetsim::Command(std::vector<std::string> arguments)> kubectl;
  /// `knetsim explain`: an object with `text` and `code`; throws InputError for names that there aren't.
  std::function<nlohmann::json(const std::string& from, const std::string& to, bool verbose, bool json, bool dry)>
      explain;
  /// `knetsim do`. True if it is done at once, false if it waits for a line that the lab does at the moment.
  std::function<bool(std::shared_ptr<Errand>)> do_errand = {};
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
