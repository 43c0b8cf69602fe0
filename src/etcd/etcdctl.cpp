#include <filesystem>

#include "knetsim/etcd/ensemble.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"

namespace knetsim::etcd {
namespace {

// Constant: the program's path is in the symbolic link beside it. No proxy of the host's serves an emulated network.
constexpr const char* kWrapper = R"(#!/bin/sh
ETCDCTL_API="${ETCDCTL_API:-2}"
NO_PROXY='*'
no_proxy='*'
export ETCDCTL_API NO_PROXY no_proxy
exec "${0%/*}/.etcdctl" "$@"
)";
constexpr unsigned kExecutable = 0755;

}  // namespace

void install_etcdctl(const std::filesystem::path& directory) {
  const std::filesystem::path program = require_program("etcdctl");
  replace_symlink(program, directory / ".etcdctl");
  write_file_atomically(directory / "etcdctl", kWrapper, kExecutable);
}

}  // namespace knetsim::etcd
