#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace knetsim {

/// A directory that a child takes for its root: Command::root.
class OtherRoot {
 public:
  /// Throws InputError if it can't be one: it has no /proc, /dev, /run or /tmp of its own.
  explicit OtherRoot(const std::filesystem::path& root);

  /// A program's path in there. Throws InputError if it isn't absolute or isn't there.
  std::filesystem::path require_program(const std::string& path) const;

  /// Between fork and exec, async-signal-safe: gives the calling process mounts of its own and makes this its root.
  /// False, with errno set, if the kernel refuses.
  bool enter() const noexcept;

 private:
  std::string root_;
  std::string run_;
  std::string tmp_;
  std::string state_;
  std::vector<std::pair<const char*, std::string>> binds_;  ///< from where, to where
};

}  // namespace knetsim
