#include "knetsim/sys/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <functional>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLongestFile = 256U << 20;
constexpr std::size_t kLongestStream = 16U << 20;  // of a device or a pipe, which tells no size

void write_all(const Fd& file, std::string_view content, const std::function<SystemError(std::string_view)>& failed) {
  while (!content.empty()) {
    const auto count = ::write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failed("write");
    content.remove_prefix(static_cast<std::size_t>(count));
  }
}

// The first on the way to `path` that is there and no directory, a link that leads nowhere included; else empty.
fs::path obstacle_on(const fs::path& path) {
  fs::path prefix;
  for (const auto& part : path) {
    prefix /= part;
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(prefix, ignored)) && !fs::is_directory(prefix, ignored)) return prefix;
  }
  return {};
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw SystemError("read", path.string());
  struct stat found {};
  ::fstat(file.get(), &found);
  const auto longest = S_ISREG(found.st_mode) ? kLongestFile : kLongestStream;
  const auto refuse_beyond = [&](std::size_t size) {
    if (size <= longest) return;
    errno = EFBIG;
    throw SystemError("read", path.string());
  };
  refuse_beyond(static_cast<std::size_t>(found.st_size));
  std::string content;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto count = ::read(file.get(), buffer.data(), buffer.size());
    if (count == 0) return content;
    if (count > 0) {
      content.append(buffer.data(), static_cast<std::size_t>(count));
      refuse_beyond(content.size());
    } else if (errno != EINTR) {
      throw SystemError("read", path.string());
    }
  }
}

void write_file_atomically(const fs::path& path, std::string_view content, unsigned mode) {
  std::error_code absent;
  const auto there = fs::symlink_status(path, absent);
  // A rename would put a file in the place of /dev/null.
  if (fs::exists(there) && !fs::is_regular_file(there) && !fs::is_symlink(there) && !fs::is_directory(there))
    throw InputError(describe({.where = path.string(),
                               .tried = "write a file there",
                               .answer = "it is no regular file",
                               .remedy = "name a file, or a place where there is none yet"}));
  // O_EXCL: a link that somebody planted under the temporary name is refused, not followed.
  const auto temporary = fmt::format("{}.{}.tmp", path.string(), ::gettid());
  ::unlink(temporary.c_str());
  Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) throw SystemError("create", temporary);
  const auto fail = [&](std::string_view tried) {
    SystemError error(tried, temporary);
    ::unlink(temporary.c_str());
    return error;
  };
  if (::fchmod(file.get(), mode) != 0) throw fail("set the mode of");
  write_all(file, content, fail);
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw fail("rename to " + path.string());
}

void write_user_file(const fs::path& path, std::string_view content) {
  std::error_code absent;
  const auto there = fs::symlink_status(path, absent);
  if (!fs::exists(there) || fs::is_regular_file(there)) return write_file_atomically(path, content);
  const Fd file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC));
  if (!file) throw SystemError("write to", path.string());
  write_all(file, content, [&](std::string_view tried) { return SystemError(tried, path.string()); });
}

void make_directories(const fs::path& path) {
  std::error_code failure;
  fs::create_directories(path, failure);
  if (!failure) return;
  const auto obstacle = obstacle_on(path);
  const auto remedy = obstacle.empty() ? "see that there is room, and that it may be written there"
                                       : fmt::format("move {} out of the way: it is no directory", obstacle.string());
  throw SystemError(failure.value(), {.where = path.string(), .tried = "make the directory", .remedy = remedy});
}

std::vector<fs::path> list_directory(const fs::path& path) {
  std::vector<fs::path> entries;
  std::error_code failure;
  for (fs::directory_iterator entry(path, failure), end; !failure && entry != end; entry.increment(failure))
    entries.push_back(entry->path());
  if (failure)
    throw SystemError(
        failure.value(),
        {.where = path.string(), .tried = "list the directory", .remedy = "see that it exists and may be read"});
  return entries;
}

void replace_symlink(const fs::path& target, const fs::path& link) {
  if (::unlink(link.c_str()) != 0 && errno != ENOENT) throw SystemError("replace", link.string());
  if (::symlink(target.c_str(), link.c_str()) != 0) throw SystemError("make a symbolic link", link.string());
}

std::optional<FileStamp> stamp_of(const fs::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 || found.st_size == 0) return std::nullopt;
  return FileStamp{found.st_ino, found.st_ctim.tv_sec, found.st_ctim.tv_nsec};
}

}  // namespace knetsim
