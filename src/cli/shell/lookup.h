#pragma once

#include <functional>
#include <set>
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

/// Daemons and containers' programs that end by themselves: nobody types anything that would tell.
class News {
 public:
  /// Waits, for a second at most, until the programs that containers were given have settled: they wait for something,
  /// or have ended. What ends at once is told with the boot then.
  static void settle(Session& session);
  /// "w1/c1 false has ended (exit code 1); its log is ...": what has ended since it was asked last.
  std::vector<std::string> take(Session& session);

 private:
  std::set<int> told_;  // by pid
};

}  // namespace knetsim::cli::shell
