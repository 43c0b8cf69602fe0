#include "volume_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/text.h"

namespace knetsim::kubelet {

namespace fs = std::filesystem;

void write_volume(const fs::path& directory, const VolumeFiles& files, std::uint64_t generation) {
  const auto data = directory / "..data";
  std::error_code ignored;
  const auto before = fs::read_symlink(data, ignored);
  const auto name = fmt::format("..{}", generation);
  make_directories(directory / name);
  std::set<std::string> names;
  for (const auto& [path, file] : files) {
    const auto place = directory / name / path;
    make_directories(place.parent_path());
    write_file_atomically(place, file.content, file.mode);
    names.insert(fs::path(path).begin()->string());
  }
  replace_symlink(name, data);
  for (const auto& one : names)
    if (!fs::is_symlink(fs::symlink_status(directory / one, ignored)))
      replace_symlink(fs::path("..data") / one, directory / one);
  for (const auto& place : list_directory(directory)) {
    const auto one = place.filename().string();
    if (!one.starts_with("..") && !names.contains(one)) fs::remove(place, ignored);
  }
  if (!before.empty() && before != name) fs::remove_all(directory / before, ignored);
}

void make_inside(const fs::path& directory, const fs::path& path, bool last_is_directory) {
  constexpr int kSearch = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Fd place(::open(directory.c_str(), kSearch));
  const auto refused = [&](const fs::path& part) {
    return SystemError(fmt::format("make {} below {}", excerpt(path.string()), directory.string()),
                       excerpt(part.string()));
  };
  if (!place) throw refused(directory);
  for (auto part = path.begin(); part != path.end(); ++part) {
    const bool last = std::next(part) == path.end();
    if (last && !last_is_directory) {
      const Fd made(
          ::openat(place.get(), part->c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644));
      if (!made) throw refused(*part);
      return;
    }
    constexpr mode_t kForAll = 0755;
    if (::mkdirat(place.get(), part->c_str(), kForAll) != 0 && errno != EEXIST) throw refused(*part);
    place = Fd(::openat(place.get(), part->c_str(), kSearch));
    if (!place) throw refused(*part);
  }
}

fs::path sub_path(const fs::path& volume, const std::string& path, bool made) {
  const auto refused = [&] { return InputError(fmt::format("subPath {} isn't in the volume", excerpt(path))); };
  const fs::path wanted(path);
  if (wanted.is_absolute() || std::ranges::find(wanted, "..") != wanted.end()) throw refused();
  std::error_code error;
  const auto home = fs::canonical(volume);
  auto place = fs::canonical(home / wanted, error);
  if (error && !made) throw refused();
  if (error) {
    make_inside(home, wanted.lexically_normal(), true);
    place = home / wanted.lexically_normal();
  }
  const auto inside = std::ranges::mismatch(home, place).in1 == home.end();
  if (!inside) throw refused();
  return place;
}

}  // namespace knetsim::kubelet
