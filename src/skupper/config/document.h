#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::skupper {

struct Attribute {
  std::string name;
  nlohmann::json value;  ///< a scalar; arrays and objects come empty
  std::size_t line = 0;
};

struct Entity {
  std::string type;
  std::size_t line = 0;
  std::vector<Attribute> attributes;
};

/// The shape of a config, [["entity", {"attribute": value, ...}], ...], without regard to what the words mean. Lines
/// that begin with # are comments. As skrouterd does it: a file whose name doesn't end in .json may be in the .conf
/// syntax instead (conf_document.h), and "max-frame-size" is another spelling of "maxFrameSize". Throws InputError
/// naming file and line, also for an attribute that stands twice.
std::vector<Entity> read_document(std::string_view text, const std::string& file);

}  // namespace knetsim::skupper
