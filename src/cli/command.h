#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "terminal.h"

namespace CLI {
class App;
}

namespace knetsim::cli {

inline constexpr int kExitGood = 0;
inline constexpr int kExitBad = 1;
inline constexpr int kExitCouldNotRun = 2;
inline constexpr int kExitSignal = 128;  ///< plus the number of the signal that interrupted it

/// One subcommand: its options, added to the command line parser, and what it does once they are parsed.
struct Command {
  CLI::App* options = nullptr;
  std::function<int(Terminal&)> run;
  /// What the parser doesn't understand is the command's own affair: it begins a command for somebody else.
  bool takes_rest = false;
};

/// A subcommand is such a function (in *_command.cpp, doctor.cpp, completion.cpp, attach/commands.cpp), and its line in
/// the table in app.cpp.
using CommandMaker = Command (*)(CLI::App& root);

Command make_up(CLI::App& root);
Command make_validate(CLI::App& root);
Command make_ps(CLI::App& root);
Command make_inspect(CLI::App& root);
Command make_exec(CLI::App& root);
Command make_do(CLI::App& root);
Command make_kubectl(CLI::App& root);
Command make_explain(CLI::App& root);
Command make_down(CLI::App& root);
Command make_check(CLI::App& root);
Command make_doctor(CLI::App& root);
Command make_completion(CLI::App& root);

/// As CMakeLists.txt at the top has it.
std::string_view version();

/// The program: parses, dispatches, tells errors on `terminal.err`, and returns the exit code.
int run(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace knetsim::cli
