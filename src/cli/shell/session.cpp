#include "session.h"

#include <fmt/format.h>

#include <ostream>

#include "knetsim/sys/text.h"
#include "lookup.h"
#include "methods.h"
#include "programs.h"
#include "verbs.h"

namespace knetsim::cli::shell {

namespace {

[[noreturn]] void unknown(Session& session, const Word& word) {
  auto known = node_names(session);
  for (const auto& verb : verbs()) known.emplace_back(verb.name());
  throw LineError(word.span,
                  fmt::format("{} is no verb, node or program{}", excerpt(word.text), did_you_mean(word.text, known)),
                  "help lists the verbs, nodes the nodes");
}

int run(Session& session, const std::string& line, const Words& words) {
  const auto& first = words.words.front();
  if (const auto* verb = find_verb(first.text)) return verb->run(session, line, words);
  if (auto* node = session.emulation.find(first.text)) return run_words(session, node, line, words, 1);
  const bool is_for_shell = words.needs_shell && words.needs_shell->begin < first.span.end;
  if (is_for_shell || find_program(first.text)) return run_words(session, nullptr, line, words, 0);
  unknown(session, first);
}

int run(Session& session, const std::string& line) {
  const auto statement = parse_line(line);
  if (const auto* words = std::get_if<Words>(&statement)) return run(session, line, *words);
  if (const auto* call = std::get_if<Call>(&statement)) return run_call(session, *call);
  return kDone;
}

}  // namespace

int execute(Session& session, const std::string& line) try {
  return run(session, line);
} catch (const LineError& error) {
  session.terminal.err << with_caret(line, error);
  return kNotUnderstood;
} catch (const InputError& error) {
  session.terminal.err << error.what() << '\n';
  return kNotUnderstood;
} catch (const std::exception& error) {
  session.terminal.err << error.what() << '\n';
  return kFailed;
}

}  // namespace knetsim::cli::shell
