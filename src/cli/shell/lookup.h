#pragma once

#include <functional>
#include <string>
#include <vector>

#include "session.h"

namespace knetsim::cli::shell {

/// These throw LineError with the nearest name; what a name means, Names says.
Node& find_node(Session& session, const Word& word);
Worker& find_worker(Session& session, const Word& word);
Cluster& find_cluster(Session& session, const Word& word);
/// "C0w1/c1"
Container& find_container(Session& session, const Word& word);

std::vector<std::string> node_names(Session& session);

/// "; did you mean C0w1?", or nothing.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

/// A program of the emulation, or one that was started at the prompt, and how to end and restart it.
struct Running {
  std::string node;
  std::string name;  ///< "flanneld"
  Process* process;  ///< null if a restart has failed
  std::function<void()> kill;
  std::function<void()> restart;  ///< empty: it can't be
  bool told_to_end = false;       ///< by a line at the prompt
  /// Who started it.
  enum class Whose { lab, prompt } whose = Whose::lab;
};
std::vector<Running> running_programs(Session& session);
Running find_program_on(Session& session, const Word& node, const Word& program);

}  // namespace knetsim::cli::shell
