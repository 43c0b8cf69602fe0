#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace knetsim::parts {

/// Of a program: major, minor, patch.
using Release = std::array<unsigned, 3>;

/// What is known of the real releases from one on and before another.
struct Releases {
  enum class Verdict {
    refused,  ///< they can't work in an emulation
    faulty,   ///< they work, with a fault that is told with their name
    apart,    ///< they can't stand beside ours
  };
  Release from;
  Release before;
  Verdict verdict;
  std::string_view why;
  std::string_view remedy = {};
};

/// A part of an emulation that is a real program or one of ours. Each is a row of `kParts`, and of docs/parts.md.
struct Part {
  std::string_view name;                   ///< "flannel"
  std::string_view kind;                   ///< "daemon", "router"
  std::string_view title;                  ///< what a person chooses: "flanneld"
  std::string_view own;                    ///< ours: "knetsim-flanneld"
  std::span<const std::string_view> real;  ///< the real programs: "flanneld"
  std::string_view variable;               ///< the one that chooses: KNETSIM_FLANNEL=auto, real, builtin
  std::string_view also = {};              ///< what else it may be: "the path of a plugin"
  std::string_view path_variable = {};     ///< where the real one is; empty: there is none
  std::string_view root_variable = {};     ///< the unpacked image that the real one is in; empty: there is none
  std::string_view remedy = {};            ///< how to get a real one
  std::string_view needs = {};             ///< a program that the real one runs
  std::string_view ready = {};             ///< what the daemon has done when it is ready: "had a lease"
  bool on_request = false;                 ///< a real one stands only if `variable` is real, or its path
  bool tells_release = false;              ///< a real one that doesn't tell its release is refused
  std::span<const Releases> releases = {};
};

extern const Part kFlannel;
extern const Part kCni;
extern const Part kSkupper;
extern const Part kApiServer;
extern const Part kControllers;
extern const Part kKubeProxy;
inline constexpr std::array kParts{&kFlannel, &kCni, &kSkupper, &kApiServer, &kControllers, &kKubeProxy};

/// What `part.variable` may be: "auto, real or builtin".
std::string choices_of(const Part& part);
/// The option of the command line that chooses: "--flannel".
std::string option_of(const Part& part);

}  // namespace knetsim::parts
