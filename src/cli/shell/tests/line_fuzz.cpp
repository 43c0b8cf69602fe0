// Any bytes are understood or refused at a place within them; nothing else happens.
#include "line_fuzz.h"

#include <cstdlib>
#include <string_view>

#include "shell/line.h"

namespace {

using namespace knetsim::cli::shell;

void require(bool truth) {
  if (!truth) std::abort();
}

void require_within(Span span, std::string_view line) { require(span.begin <= span.end && span.end <= line.size()); }

void look_at(const Value& value, std::string_view line) {
  require_within(value.span, line);
  if (const auto* list = std::get_if<std::vector<Value>>(&value.content))
    for (const auto& one : *list) look_at(one, line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  try {
    const auto statement = parse_line(line);
    if (const auto* words = std::get_if<Words>(&statement)) {
      require(!words->words.empty());
      for (const auto& word : words->words) require_within(word.span, line);
      if (words->needs_shell) require_within(*words->needs_shell, line);
    } else if (const auto* call = std::get_if<Call>(&statement)) {
      require(!call->object.text.empty() && !call->method.text.empty());
      for (const auto& value : call->arguments) look_at(value, line);
    }
  } catch (const LineError& error) {
    require_within(error.span(), line);
    require(!with_caret(line, error).empty());
  }
  return 0;
}
