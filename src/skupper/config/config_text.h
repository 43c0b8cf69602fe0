#pragma once

#include <string>
#include <string_view>

namespace knetsim::skupper {

/// The text of a config as JSON, [["entity", {"attribute": value, ...}], ...], in which each thing stands in the line
/// in which it stood. Lines that begin with # are comments. As skrouterd does it, a file whose name doesn't end in
/// .json may be in the .conf syntax instead (python/skupper_router_internal/management/config.py of skupper-router):
/// `entity {` and a line for each attribute; # begins a comment, but not in a pattern or hostname; maps within an
/// entity come empty. Throws InputError naming file and line for what isn't that syntax; whether it is JSON isn't
/// looked at.
std::string config_as_json(std::string_view text, const std::string& file);

}  // namespace knetsim::skupper
