#pragma once

#include <string_view>
#include <vector>

#include "knetsim/emulator/topology.h"
#include "session.h"

namespace knetsim::cli::shell {

/// What the words after a verb name, for completion.
enum class Argument {
  node,
  peer,  ///< another node, unless all are meant
  worker,
  container,
  cluster,
  vip,
  service,
  interface,
  daemon,
  verb,
  file,
  state,
  program,
  all,
  only,
  checks,
  target,
  words
};

/// A word that begins a line: what it does, and how to tell of it.
struct Verb {
  std::string_view usage;                  ///< "create WORKER/NAME"
  std::string_view summary;                ///< one line
  std::vector<std::string_view> examples;  ///< lines that work in the demo topology, one after the other
  std::vector<Argument> arguments;
  /// `line` is what `words` were read from. Throws LineError, or any Error.
  int (*run)(Session& session, std::string_view line, const Words& words);
  std::string_view details = {};  ///< for `help VERB`

  std::string_view name() const { return usage.substr(0, usage.find_first_of(" .")); }
};

/// In the order in which `help` lists them. A new verb is a function and its line in one of the tables behind this.
const std::vector<Verb>& verbs();
/// The other forms of a line, for `help`: they begin with what isn't a verb.
const std::vector<Verb>& forms();
/// By name or alias; nullptr if there is none.
const Verb* find_verb(std::string_view name);

/// The tables, one for each subject, in verbs_*.cpp.
std::vector<Verb> showing_verbs();
std::vector<Verb> changing_verbs();
std::vector<Verb> running_verbs();
std::vector<Verb> service_verbs();
std::vector<Verb> trying_verbs();

/// Throws LineError naming the verb's usage unless it has from `least` to `most` words after it.
void require_arguments(const Words& words, std::size_t least, std::size_t most);

/// Throws LineError if the words hold what only a shell would understand.
void require_plain(const Words& words);

/// Throws InputError, with the place in the topology, for a node that couldn't be reached at the prompt: its name is a
/// verb there. Adds a remark for one that is called like a program.
void check_names(Topology& topology);

}  // namespace knetsim::cli::shell
