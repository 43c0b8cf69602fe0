#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::kubelet {

/// What stands for an image. A container here has the host's files, so that an image is a name for programs: the
/// host's, or our own.
struct Image {
  std::vector<std::string> entrypoint = {};  ///< its ENTRYPOINT
  std::vector<std::string> command = {};     ///< its CMD
  std::string program = {};                  ///< whenever argv[0] is this one, `inserted` comes next
  std::vector<std::string> inserted = {};
  std::map<std::string, std::string> files = {};  ///< what it brings along: path in kImageDirectory -> content
  /// Directories of those, and where programs find them, as in the image's own files.
  std::map<std::string, std::string> places = {};
  bool applets = false;  ///< busybox: a program that the host lacks is one of busybox's
};

/// In `entrypoint`, `command`, `inserted` and `files`: where those files lie.
inline constexpr std::string_view kImageDirectory = "{image}";
/// As argv[0]: our own program, knetsim-agnhost, which in its image is called /agnhost.
inline constexpr std::string_view kAgnhost = "{agnhost}";

/// "agnhost" of "registry.k8s.io/e2e-test-images/agnhost:2.47@sha256:...": neither registry nor tag tells programs
/// apart. Empty if it is no reference to an image.
std::string image_name(std::string_view reference);

/// Null if nothing here stands for it.
const Image* find_image(std::string_view reference);

/// The names that find_image() knows, in their order: for a remedy.
std::vector<std::string> known_images();

/// The program and arguments of a container: `command` takes the place of ENTRYPOINT and CMD, `args` that of CMD. Empty
/// if there is nothing to run.
std::vector<std::string> argv_of(const Image& image, const std::vector<std::string>& command,
                                 const std::vector<std::string>& args);

}  // namespace knetsim::kubelet
