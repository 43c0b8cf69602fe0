#pragma once

#include <string>

#include "session.h"

namespace knetsim::cli::shell {

/// The emulation in Graphviz's language (https://graphviz.org/doc/info/lang.html).
std::string to_dot(Session& session);

/// Writes the picture to this file, in the format that its ending names; all but dot need Graphviz. Throws LineError
/// for an ending that isn't known.
int write_graph(Session& session, const Word& file);

}  // namespace knetsim::cli::shell
