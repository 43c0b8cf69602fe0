#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "knetsim/sys/json_place.h"

namespace knetsim::report {

/// A whole JSON file; throws InputError with the place at which it ceases to be one.
JsonDocument read_json_file(const std::filesystem::path& file);
/// The same of a text that came from elsewhere; complaints call it `source`.
JsonDocument read_json_text(const std::string& text, const std::string& source);

/// Throws unless the member `schema` is `wanted`.
void require_schema(const JsonPlace& root, std::string_view wanted);

/// Of an object.
std::map<std::string, std::string> texts_of(const JsonPlace& object);

}  // namespace knetsim::report
