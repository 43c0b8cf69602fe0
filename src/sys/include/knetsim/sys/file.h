#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

namespace knetsim {

/// The whole file; throws SystemError naming the path.
std::string read_file(const std::filesystem::path& path);
/// Replaces the content through a temporary file and rename(2), so that readers see the old or the new, never half.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);
/// Waits (inotify(7)) until the file exists with content; throws StillMissing when the budget ends. Its directory
/// must exist.
void wait_for_file(const std::filesystem::path& path, std::chrono::milliseconds budget);

}  // namespace knetsim
