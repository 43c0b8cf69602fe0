#include "programs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <csignal>
#include <ostream>
#include <utility>

#include "command.h"
#include "lookup.h"

namespace knetsim::cli::shell {

namespace {

/// What a word that was typed without quotes stands for: the address, if it names a node that has one only. Of several,
/// the program chooses, which finds the name in /etc/hosts. A name that could be a number or an option stays what it
/// is.
std::string meaning_of(Session& session, const Word& word) {
  const bool quoted = word.span.end - word.span.begin != word.text.size();
  if (quoted || word.text.empty() || std::isalpha(static_cast<unsigned char>(word.text.front())) == 0) return word.text;
  const auto* node = session.emulation.find(word.text);
  return node != nullptr && node->addresses().size() == 1 ? node->address().to_string() : word.text;
}

/// The text from the first word on as it was typed, for sh.
std::string typed(Session& session, std::string_view line, const Words& words, std::size_t first) {
  std::string text;
  auto at = words.words[first].span.begin;
  for (std::size_t i = first; i < words.words.size(); ++i) {
    const auto& word = words.words[i];
    text += line.substr(at, word.span.begin - at);
    const auto meaning = meaning_of(session, word);
    text += i == first || meaning == word.text
                ? std::string(line.substr(word.span.begin, word.span.end - word.span.begin))
                : meaning;
    at = word.span.end;
  }
  return text;
}

std::vector<std::string> argv_of(Session& session, std::string_view line, const Words& words, std::size_t first) {
  if (words.needs_shell && words.needs_shell->begin >= words.words[first].span.begin)
    return {"sh", "-c", typed(session, line, words, first)};
  std::vector<std::string> argv{words.words[first].text};
  for (std::size_t i = first + 1; i < words.words.size(); ++i) argv.push_back(meaning_of(session, words.words[i]));
  return argv;
}

constexpr std::array<std::string_view, 7> kOnlyInShells{"cd", "export", "alias", "set", "umask", "ulimit", "unset"};

// A path is seen from the node's directory.
void complete_path(const Node* node, std::string& program) {
  if (node != nullptr && program.find('/') != std::string::npos && program.front() != '/')
    program = (node->directory() / program).string();
}

int run_argv(Session& session, Node* node, std::vector<std::string> argv, bool background) {
  complete_path(node, argv.front());
  if (node != nullptr) session.emulation.prepare_for(argv.front());
  if (!find_program(argv.front())) {
    if (std::find(kOnlyInShells.begin(), kOnlyInShells.end(), argv.front()) != kOnlyInShells.end())
      throw InputError(
          fmt::format("{0} is a shell's own, and no line here leaves anything to the next one\n  as: {1}sh -c "
                      "'{0} ...; ...', or {1}bash",
                      argv.front(), node != nullptr ? node->name() + " " : ""));
    try {
      require_program(argv.front());
    } catch (const InputError& error) {
      session.terminal.err << error.what() << '\n';
    }
    return kNoProgram;
  }
  if (!background)
    return run_in_front(session, node != nullptr ? node->command(std::move(argv))
                                                 : knetsim::Command{.argv = std::move(argv), .trust = Trust::user});
  const auto& started = session.background.start(*node, std::move(argv));
  session.terminal.out << fmt::format("{} goes on in the background: kill {} {} ends it, its output is in {}\n",
                                      started.name, started.node, started.name, started.process.log().string());
  return kDone;
}

}  // namespace

int run_in_front(Session& session, const knetsim::Command& command) {
  session.terminal.out << std::flush;
  const auto status = session.run_in_front(command);
  const auto signal = status.signal();
  if (!signal) return status.code().value_or(kFailed);
  if (*signal != SIGINT) session.terminal.err << "(" << status.describe() << ")\n";
  return kExitSignal + *signal;
}

int run_words(Session& session, Node* node, std::string_view line, const Words& words, std::size_t first) {
  if (first >= words.words.size())
    throw LineError({words.end, words.end}, "what should run there?",
                    "as: " + std::string(line.substr(0, words.end)) + " ifconfig");
  if (words.background && node == nullptr)
    throw LineError({words.end, words.end + 1}, "only a program on a node can go on in the background");
  return run_argv(session, node, argv_of(session, line, words, first), words.background);
}

namespace {

// Positions within a text in quotes aren't those of the line any more: errors point at the text as a whole.
int run_quoted(Session& session, Node* node, const std::string& command, Span span, bool background) {
  try {
    auto words = split_words(command);
    if (words.words.empty()) throw LineError(span, "this command is empty");
    return run_argv(session, node, argv_of(session, command, words, 0), background || words.background);
  } catch (const LineError& error) {
    throw LineError(span, error.what(), error.remedy());
  }
}

}  // namespace

int run_text(Session& session, Node* node, const std::string& command, Span span) {
  return run_quoted(session, node, command, span, false);
}

int start_text(Session& session, Node& node, const std::string& command, Span span) {
  return run_quoted(session, &node, command, span, true);
}

void create_container_on(Session& session, Worker& worker, const Word& name) {
  if (name.text.empty() || !std::all_of(name.text.begin(), name.text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
      }))
    throw LineError(name.span, "a container's name can't be empty, and is made of letters, digits, '-', '_' and '.'");
  for (auto* cluster : session.emulation.clusters())
    for (const auto* one : cluster->workers()) {
      if (one != &worker) continue;
      const auto& made = cluster->create_container(worker.name(), name.text);
      session.terminal.out << made.name() << "  " << made.address().to_string() << '\n';
    }
}

void bury_retired(Session& session) {
  std::vector<std::string> gone;
  for (const auto& program : session.background.programs())
    if (session.emulation.find(program.node) == nullptr) gone.push_back(program.node);
  for (const auto& node : gone) session.background.end_on(node);
  session.emulation.bury_retired();
}

void delete_container(Session& session, Container& container) {
  session.background.end_on(container.name());
  for (auto* cluster : session.emulation.clusters()) {
    const auto theirs = cluster->containers();
    if (std::find(theirs.begin(), theirs.end(), &container) == theirs.end()) continue;
    cluster->delete_container(container.short_name());
    return;
  }
}

}  // namespace knetsim::cli::shell
