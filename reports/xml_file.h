#pragma once

#include <filesystem>
#include <pugixml.hpp>
#include <string_view>

namespace knetsim::report {

/// A whole XML file whose root is <root>; throws InputError with the line at which it ceases to be one.
pugi::xml_document read_xml(const std::filesystem::path& file, std::string_view root);

}  // namespace knetsim::report
