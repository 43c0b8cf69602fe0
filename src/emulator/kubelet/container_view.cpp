#include "container_view.h"

#include <fmt/format.h>
#include <linux/limits.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/text.h"
#include "volume_directory.h"

namespace knetsim::kubelet {

namespace fs = std::filesystem;

namespace {

bool is_below(const fs::path& path, const fs::path& of) {
  return path != of && std::ranges::mismatch(of, path).in1 == of.end();
}

/// A mount's path as it is without links, and how much of it the host has.
struct Place {
  fs::path there;
  fs::path rest;
  fs::path whole() const { return rest.empty() ? there : there / rest; }
};

Place place_of(const std::string& path) {
  if (path.size() >= PATH_MAX) throw InputError("the path is too long");
  auto there = (fs::path("/") / path).lexically_normal();
  if (!there.has_filename()) there = there.parent_path();
  fs::path rest;
  std::error_code ignored;
  while (!fs::exists(there, ignored)) {
    rest = rest.empty() ? there.filename() : there.filename() / rest;
    there = there.parent_path();
  }
  return {fs::canonical(there), std::move(rest)};
}

// Where the host has no such path, the nearest directory above that it has gets a double, with all that is in it and
// the new path; the root directory has one in any case.
class ContainerView {
 public:
  explicit ContainerView(const fs::path& room) : room_(room) { double_of("/"); }

  void mount(const Mount& one, const Place& place) {
    const auto whole = place.whole();
    const bool directory = fs::is_directory(one.from);
    for (const char* system : {"/", "/proc", "/sys"})
      if (whole == system || (whole.string().starts_with(system) && is_below(whole, system) && system[1] != '\0'))
        throw InputError("nothing can be there");
    if (const auto* outer = outer_mount(whole)) {
      if (outer->read_only) throw InputError("that is in a volume which is read-only");
      make_inside(outer->from, whole.lexically_relative(outer->at), directory);
    } else if (!place.rest.empty()) {
      if (!fs::is_directory(place.there)) throw InputError(place.there.string() + " isn't a directory");
      make_inside(double_of(place.there), place.rest, directory);
    } else if (fs::is_directory(whole) != directory) {
      throw InputError(directory ? "a file is there" : "a directory is there");
    }
    mounts_.push_back({one.from, whole.string(), one.read_only});
  }

  std::vector<Shown> shown() && {
    std::vector<Shown> all;
    for (auto& [of, made] : doubles_) {
      std::ranges::move(made.entries, std::back_inserter(all));
      if (of != "/") all.push_back({made.directory, inside(of)});
    }
    for (const auto& one : mounts_) all.push_back({one.from, inside(one.at), one.read_only});
    all.push_back({doubles_.at("/").directory, "/"});
    return all;
  }

 private:
  struct Double {
    fs::path directory;
    std::vector<Shown> entries;
  };

  fs::path inside(const fs::path& path) const { return doubles_.at("/").directory / path.relative_path(); }

  const Mount* outer_mount(const fs::path& path) const {
    const Mount* outer = nullptr;
    for (const auto& one : mounts_)
      if (is_below(path, one.at) && (outer == nullptr || is_below(one.at, outer->at))) outer = &one;
    return outer;
  }

  const fs::path& double_of(const fs::path& directory) {
    const auto [found, added] = doubles_.try_emplace(directory);
    auto& made = found->second;
    if (!added) return made.directory;
    made.directory = room_ / std::to_string(doubles_.size());
    make_directories(made.directory);
    constexpr std::size_t kMostEntries = 4'096;
    for (const auto& entry : list_directory(directory)) {
      const auto at = made.directory / entry.filename();
      std::error_code gone;
      const auto status = fs::symlink_status(entry, gone);
      if (gone || !fs::exists(status)) continue;
      if (fs::is_symlink(status)) {
        replace_symlink(fs::read_symlink(entry), at);
        continue;
      }
      // Mounted over it is a file that has no name any more (the sandbox's resolv.conf), which can't be mounted again.
      if (fs::is_regular_file(status) && fs::hard_link_count(entry, gone) == 0) {
        write_file_atomically(at, read_file(entry));
        continue;
      }
      if (made.entries.size() == kMostEntries)
        throw InputError(fmt::format("{} holds more than {} files", directory.string(), kMostEntries));
      make_inside(made.directory, entry.filename(), fs::is_directory(status));
      made.entries.push_back({.from = entry, .at = at, .if_there = true});
    }
    return made.directory;
  }

  fs::path room_;
  std::map<fs::path, Double> doubles_;  ///< by what they are of: outer ones first
  std::vector<Mount> mounts_;
};

}  // namespace

std::vector<Shown> view_with(const fs::path& room, std::vector<Mount> mounts) {
  if (mounts.empty()) return {};
  const auto for_each = [&](auto deed) {
    for (auto& one : mounts) try {
        deed(one);
      } catch (const std::exception& error) {
        throw InputError(fmt::format("can't mount at {}: {}", excerpt(one.at), error.what()));
      }
  };
  std::map<std::string, Place> places;
  for_each([&](const Mount& one) { places.try_emplace(one.at, place_of(one.at)); });
  // Outer ones first, so that what is in them is shown in them.
  std::ranges::stable_sort(mounts, {}, [&](const Mount& one) { return places.at(one.at).whole(); });
  ContainerView view(room);
  for_each([&](const Mount& one) { view.mount(one, places.at(one.at)); });
  return std::move(view).shown();
}

}  // namespace knetsim::kubelet
