#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace knetsim::report {

/// Bytes of any kind as UTF-8 text of at most `longest` bytes: what isn't UTF-8 becomes U+FFFD, and what is cut off is
/// told.
std::string clean(std::string_view bytes, std::size_t longest = std::string_view::npos);

/// For HTML text and quoted attributes; control characters become their pictures (U+2400 ...), so that they are seen.
std::string escape_html(std::string_view text);
/// For XML 1.0 text and quoted attributes; characters that XML can't hold become U+FFFD.
std::string escape_xml(std::string_view text);
/// For a cell of a GitHub-flavoured Markdown table: one line, nothing of it markup.
std::string escape_markdown(std::string_view text);
/// Any text as a Markdown code span, on one line.
std::string code_span(std::string_view text);
/// Any text as a fenced Markdown block, each line with something on it behind `indent`.
std::string fenced_block(std::string_view text, std::string_view indent = {});
/// For the message of a GitHub workflow command (https://docs.github.com/actions, "Workflow commands").
std::string escape_command(std::string_view text);
/// The same for one of its properties, such as file=.
std::string escape_command_property(std::string_view text);

/// "1 test", "2 tests"
std::string count_of(std::size_t count, std::string_view noun);
/// "40 ms", "1.24 s", "2 min 5 s"
std::string seconds_text(double seconds);
/// A figure with its unit, in three digits: "412 ms", "1.3 GB/s", "96 KiB"
std::string figure_text(double value, std::string_view unit);
/// "flannel_runs_on_every_worker" and "OneVipsTurns/builtin" in words.
std::string in_words(std::string_view name);

}  // namespace knetsim::report
