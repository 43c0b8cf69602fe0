#pragma once

#include <filesystem>
#include <string_view>

namespace knetsim {

/// Writes a file that a user names, where anything may stand. A regular file is replaced as a whole, or stays as it
/// was; into a device, a FIFO, a symbolic link (/dev/stdout is one) is written as a shell's > does. Throws SystemError.
void write_user_file(const std::filesystem::path& path, std::string_view content);

}  // namespace knetsim
