#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "environment.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/fd.h"

namespace knetsim::kubelet {

/// The program and arguments of a container. What its image brings along is written to `home`/image. Throws NotYet if
/// nothing stands for the image, or if the host lacks the program.
std::vector<std::string> program_of(const nlohmann::json& container, const Environment& environment,
                                    const std::filesystem::path& home);

/// A container's main program, and the other end of what it reads.
struct StartedProgram {
  Child child;
  Fd in = {};             ///< of stdin or tty; doesn't block
  bool in_once = false;   ///< stdinOnce
  bool terminal = false;  ///< tty: `in` is our side of its terminal
};

/// What it prints is appended to `log`; of a terminal, by the thread that runs the context.
StartedProgram start_program(boost::asio::io_context& context, const Command& command, const std::vector<Shown>& shown,
                             const nlohmann::json& container, const std::filesystem::path& log);

}  // namespace knetsim::kubelet
