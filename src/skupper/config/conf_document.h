#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "document.h"

namespace knetsim::skupper {

/// Whether the text is in skrouterd's own syntax, `entity {` and a line for each attribute, rather than in JSON.
bool is_conf_syntax(std::string_view text);

/// The shape of a config in that syntax (python/skupper_router_internal/management/config.py of skupper-router): #
/// begins a comment, but not in a pattern or hostname; maps within an entity come empty. Throws InputError as
/// read_document.
std::vector<Entity> read_conf_document(std::string_view text, const std::string& file);

}  // namespace knetsim::skupper
