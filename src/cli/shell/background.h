#pragma once

#include <filesystem>
#include <list>
#include <string>
#include <vector>

#include "knetsim/emulator/node.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli::shell {

/// A program that was started at the prompt and goes on beside it.
struct BackgroundProgram {
  std::string node;
  std::string name;
  std::filesystem::path capture;  ///< the file that a packet capture writes; empty for other programs
  Process process;
};

/// Those programs; they end with it.
class Background {
 public:
  /// Output goes to a file of its own in the node's directory; stdin is /dev/null. Throws Error if it can't start.
  BackgroundProgram& start(const Node& node, std::vector<std::string> argv, const std::filesystem::path& capture = {});
  std::list<BackgroundProgram>& programs() noexcept { return programs_; }
  /// Ends and forgets those on this node: it is about to go.
  void end_on(const std::string& node);
  /// Forgets those that have ended.
  void forget_ended();

 private:
  std::list<BackgroundProgram> programs_;
  unsigned started_ = 0;
};

}  // namespace knetsim::cli::shell
