#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace knetsim {

/// The whole file; throws SystemError naming the path, also if it is longer than 256 MiB: a device has no end.
std::string read_file(const std::filesystem::path& path);
/// Replaces the content through a temporary file and rename(2), so that readers see the old or the new, never half.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);
/// Writes a file that a user names, where anything may stand. A regular file is replaced as a whole, or stays as it
/// was; into a device, a FIFO, a symbolic link (/dev/stdout is one) is written as a shell's > does. Throws SystemError.
void write_user_file(const std::filesystem::path& path, std::string_view content);
/// The directory and those above it, made if absent. Throws SystemError, which names what stands in the way.
void make_directories(const std::filesystem::path& path);
/// The paths of what is in it, in no order; throws SystemError.
std::vector<std::filesystem::path> list_directory(const std::filesystem::path& path);
/// A symbolic link at `link`, in place of a file or link that is there; throws SystemError.
void replace_symlink(const std::filesystem::path& target, const std::filesystem::path& link);
/// Tells a file from a later one of the same path: its inode, seconds and nanoseconds of its last change.
using FileStamp = std::tuple<std::uint64_t, std::int64_t, std::int64_t>;
/// nullopt if there is no such file, or nothing in it.
std::optional<FileStamp> stamp_of(const std::filesystem::path& path);
/// In ready.cpp: waits (inotify(7)) until the file exists with content; throws StillMissing when the budget ends. Its
/// directory must exist.
void wait_for_file(const std::filesystem::path& path, std::chrono::milliseconds budget);

}  // namespace knetsim
