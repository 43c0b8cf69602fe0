#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "container_view.h"
#include "environment.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/fd.h"

namespace knetsim::kubelet {

/// Writes what the container's image brings along to `home`/image. Returns what its programs find elsewhere. Throws
/// NotYet if nothing stands for the image.
std::vector<Mount> unpack_image(const nlohmann::json& container, const std::filesystem::path& home);

/// The program and arguments of a container whose image was unpacked there. Throws NotYet if the host lacks the
/// program: one that may lie in a volume that is shown isn't looked for.
std::vector<std::string> program_of(const nlohmann::json& container, const Environment& environment,
                                    const std::filesystem::path& home, const std::vector<Shown>& shown);

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
