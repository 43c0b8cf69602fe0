#pragma once

#include <cstdint>
#include <filesystem>

#include "volume_files.h"

namespace knetsim::kubelet {

/// Makes these the files of a volume's directory, for whoever reads it all at once: `..data` leads to the directory
/// `..<generation>`, `name` to `..data/name`. A later content has a greater generation. Throws SystemError.
/// Source: k8s.io/kubernetes/pkg/volume/util/atomic_writer.go.
void write_volume(const std::filesystem::path& directory, const VolumeFiles& files, std::uint64_t generation);

/// A path below a directory that others write to, made if it is absent: `last` as a directory or an empty file. Follows
/// no link. Throws Error.
void make_inside(const std::filesystem::path& directory, const std::filesystem::path& path, bool last_is_directory);

/// Where a subPath of a volume is, made as a directory if it is absent and may be `made`. Throws InputError if it isn't
/// in the volume.
std::filesystem::path sub_path(const std::filesystem::path& volume, const std::string& path, bool made = true);

}  // namespace knetsim::kubelet
