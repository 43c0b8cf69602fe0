#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace knetsim::skupper {

enum class Kind {
  text,
  boolean,
  number,
  number_or_auto,
  port,
  choice,
  anything,  ///< not looked at
};

/// What an attribute that skrouterd knows means here.
enum class Use {
  acted_on,
  no_effect,    ///< accepted; the log says so
  unsupported,  ///< refused, unless its value is the harmless one
};

struct AttributeRule {
  std::string_view name;
  Kind kind = Kind::text;
  Use use = Use::acted_on;
  bool required = false;
  std::int64_t min = 0;  ///< of numbers and ports
  std::int64_t max = 0;
  std::vector<std::string_view> choices = {};
  std::string_view harmless = {};
};

struct EntityRule {
  std::string_view type;
  bool named = false;  ///< has a name that no other of its type has
  std::vector<AttributeRule> attributes;
};

/// The entities of a config and their attributes; after skupper-router's
/// python/skupper_router/management/skrouter.json.
const std::vector<EntityRule>& schema();

}  // namespace knetsim::skupper
