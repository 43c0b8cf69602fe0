#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/parts/flavour.h"
#include "knetsim/parts/part.h"
#include "knetsim/sys/process.h"

namespace knetsim::parts {

/// The variables that choose programs.
class Environment {
 public:
  explicit Environment(std::map<std::string, std::string, std::less<>> variables) : variables_(std::move(variables)) {}
  /// This process's.
  static Environment current();
  /// nullopt if it isn't set, or empty.
  std::optional<std::string> get(std::string_view name) const;
  /// The same with one variable set; to nothing, as if it weren't.
  Environment with(std::string_view name, std::string value) const;

 private:
  std::map<std::string, std::string, std::less<>> variables_;
};

/// What a person chose for a part: auto, real or builtin. Throws InputError, which names part and choices, for another
/// text.
Flavour parse_flavour(std::string_view text, const Part& part);
/// The flavour that is asked for; what is automatic is as the environment says.
Flavour chosen(const Part& part, Flavour requested, const Environment& environment);

/// A program that can stand for a part.
struct Program {
  const Part* part = nullptr;          ///< null: of none
  Flavour flavour = Flavour::builtin;  ///< or real
  std::filesystem::path path;          ///< in `root`, if there is one
  std::filesystem::path root = {};     ///< its own root directory: an unpacked image
  std::string version = {};            ///< what a real one says of itself
  std::optional<Release> release = {};
  std::string fault = {};  ///< a known one of that release, in words
};

/// "knetsim-flanneld (built-in)", "/usr/bin/flanneld v0.27.4", "/usr/sbin/skrouterd 3.5.1 in /opt/skupper-router"; with
/// its fault behind it.
std::string to_string(const Program& program);

/// The program for one place: `requested` is what at() says. Ours is looked for in $KNETSIM_BINDIR, beside the running
/// program, as built and as installed, and on PATH; the real one is where its variables say, else on PATH, and is asked
/// for its version. Throws InputError, saying how to get it, if a real one was asked for and there is none, or if the
/// one that is found can't work here: what was chosen is never replaced.
Program resolve(const Part& part, Flavour requested = Flavour::automatic,
                const Environment& environment = Environment::current());

/// A program of ours that stands for no part, as there is no choice of another: looked for likewise. Throws InputError.
Program find_own(const std::string& name, const Environment& environment = Environment::current());

/// Why this one can't be a neighbour of ours; nullopt if it can.
std::optional<std::string> why_not_beside_builtin(const Program& program);

/// What a program says when it is asked for its version: the start of its stdout, else of its stderr, fit for a
/// message. Throws InputError with its words if it fails, says nothing or takes longer than 10 s.
std::string ask_version(const Command& command, const std::string& input = {});
/// The first release in a text: "v0.27.4" -> {0, 27, 4}.
std::optional<Release> release_in(std::string_view text);

}  // namespace knetsim::parts
