#include "manifests.h"

#include "knetsim/sys/file.h"

namespace knetsim {

std::vector<kube::Manifest> read_manifest_file(const std::filesystem::path& file) {
  return kube::read_manifests(file.string(), read_file(file));
}

}  // namespace knetsim
