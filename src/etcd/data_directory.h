#pragma once

#include <filesystem>

namespace knetsim::etcd {

/// Makes the directory (0700, as etcd wants it) if it is absent. An empty one in a sandbox becomes a ramfs: etcd
/// preallocates two WAL segments of 64 MB with fallocate(2), which on a tmpfs costs 123 MiB of memory and 40 ms a
/// member; where the filesystem can't do that, as ramfs can't, it makes sparse files instead. One that holds data stays
/// as it is.
void prepare_data_directory(const std::filesystem::path& directory);

}  // namespace knetsim::etcd
