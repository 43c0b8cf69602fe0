#pragma once

#include <filesystem>
#include <vector>

#include "knetsim/kube/manifest.h"

namespace knetsim {

/// Throws SystemError if it can't be read, InputError that names file, line, document and field if it holds what isn't
/// an object that is known.
std::vector<kube::Manifest> read_manifest_file(const std::filesystem::path& file);

}  // namespace knetsim
