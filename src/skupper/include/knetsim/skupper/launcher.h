#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "knetsim/parts/flavour.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim::skupper {

/// A router that can be launched.
struct Program {
  parts::Flavour flavour = parts::Flavour::builtin;  ///< or real
  std::filesystem::path path;                        ///< in `root`, if there is one
  std::filesystem::path root = {};                   ///< its own root directory: an unpacked image
  std::string version = {};                          ///< what --version says
};

/// "knetsim-skrouterd (built-in)", "/usr/sbin/skrouterd 3.5.1", "/usr/sbin/skrouterd 3.5.1 in /opt/skupper-router"
std::string to_string(const Program& program);

/// Why this one can't be a neighbour of ours: skrouterd before 3 carries TCP in another way. nullopt if it can.
std::optional<std::string> why_not_beside_builtin(const Program& program);

/// The variables that choose a router.
struct Environment {
  std::optional<std::string> skupper;       ///< KNETSIM_SKUPPER: auto, real or builtin
  std::optional<std::string> skrouterd;     ///< KNETSIM_SKROUTERD: a real one's path
  std::optional<std::string> skupper_root;  ///< KNETSIM_SKUPPER_ROOT: an unpacked image that a real one is in
  std::optional<std::string> bindir;        ///< KNETSIM_BINDIR: where our own programs are
  static Environment current();
};

/// `requested` isn't mixed. What is automatic follows KNETSIM_SKUPPER; if that says nothing either: the real router if
/// there is one, else the built-in. A real one is KNETSIM_SKROUTERD, in KNETSIM_SKUPPER_ROOT if that is set, else what
/// is there or on PATH. Throws InputError, saying how to get it, if a real one was asked for and there is none or it
/// doesn't run here.
Program resolve(parts::Flavour requested = parts::Flavour::automatic,
                const Environment& environment = Environment::current());

/// Where and how a router is to run. `netns` must outlive it.
struct LaunchSpec {
  const NetNs* netns = nullptr;
  std::filesystem::path config;
  std::filesystem::path directory;  ///< cwd and HOME
  std::filesystem::path log;        ///< appended to; the parent must exist
};

/// Starts it in a session of its own and returns at once. The log begins with the program's version and arguments.
Process launch(const Program& program, const LaunchSpec& spec);

}  // namespace knetsim::skupper
