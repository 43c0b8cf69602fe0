#pragma once

#include <string>
#include <string_view>

#include "session.h"

namespace knetsim::cli::shell {

/// Runs the words from `first` on as a program on `node` (null: outside all nodes), in front or, with "&", in the
/// background. Names of nodes stand for their addresses. Words that need a shell are given to sh as they were typed.
int run_words(Session& session, Node* node, std::string_view line, const Words& words, std::size_t first);

/// The same for a command that stands in a text; `span` is where that stands in the line.
int run_text(Session& session, Node* node, const std::string& command, Span span);
/// In the background.
int start_text(Session& session, Node& node, const std::string& command, Span span);

/// A command as it is, in front.
int run_in_front(Session& session, const knetsim::Command& command);

/// Whatever runs in the container from here ends first.
void delete_container(Session& session, Container& container);
/// Of containers of Pods that have gone since the last line, nothing is held any more; what was started in them ends.
void bury_retired(Session& session);
void create_container_on(Session& session, Worker& worker, const Word& name);

}  // namespace knetsim::cli::shell
