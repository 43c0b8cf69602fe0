#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/kube/manifest.h"

namespace knetsim::kube {

/// One document of a stream.
struct YamlDocument {
  nlohmann::json value;  ///< null: the document is empty
  std::size_t line = 1;  ///< at which its content begins
};

/// Hands on the documents of a stream one by one; stops when `take` returns false. Throws InputError "line 3, column 7:
/// ...".
void for_each_yaml_document(std::string_view text, const ManifestLimits& limits,
                            const std::function<bool(YamlDocument&&)>& take);

/// The line at which the value at a JSON pointer (RFC 6901) of the n-th document, from 1, stands; of the nearest around
/// it if there is none.
std::size_t yaml_line_of(std::string_view text, std::size_t document, const std::string& pointer,
                         const ManifestLimits& limits);

}  // namespace knetsim::kube
