#pragma once

#include <memory>

#include "attach/errand.h"
#include "event_loop.h"
#include "jobs.h"
#include "lookup.h"
#include "session.h"

namespace knetsim::cli::shell {

/// Does a visitor's line on what `session` works on. What it prints goes to the visitor, who keeps nobody waiting:
/// the loop runs as long as the visitor doesn't read. Tells the visitor how it ended, and `news` before it; null where
/// somebody at the prompt hears them.
void run_errand(Session& session, EventLoop& loop, const Requests& requests, Errand& errand, News* news);

}  // namespace knetsim::cli::shell
