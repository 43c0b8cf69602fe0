#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::kube {

struct ManifestLimits {
  std::size_t size = 16UL << 20;  ///< bytes of the file
  std::size_t depth = 100;
  std::size_t nodes = 1'000'000;  ///< values after aliases have been followed
  std::size_t objects = 100'000;
};

/// An object of a manifest, and where it stands.
struct Manifest {
  nlohmann::json object;
  std::string file;
  std::size_t document = 1;  ///< of the file, from 1
  std::size_t line = 1;      ///< at which the object begins

  /// "web.yaml:12" or, of a second document, "web.yaml:12 (document 2)"
  std::string place() const;
};

/// Objects of a file in YAML of one or more documents, or JSON; those of a List one by one. Empty documents are left
/// out. Throws InputError that names file, line and document: no YAML, no mapping, no apiVersion or kind, a kind that
/// isn't ours, a field that isn't (by path and line), a value of the wrong type, beyond a limit.
std::vector<Manifest> read_manifests(std::string_view file, std::string_view text, const ManifestLimits& limits = {});

/// One YAML document as JSON, scalars as Go's YAML takes them (yes, no, on and off without quotes are booleans, 0644 is
/// octal). Throws InputError "line 3, column 7: ...".
nlohmann::json read_yaml(std::string_view text, const ManifestLimits& limits = {});

}  // namespace knetsim::kube
