#include "verbs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <utility>

#include "knetsim/cli/text.h"
#include "knetsim/sys/text.h"
#include "lookup.h"
#include "methods.h"

namespace knetsim::cli::shell {

namespace {

// Mininet's names for the same, and an old habit.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kAliases{
    {{"pingall", "ping"}, {"net", "links"}, {"quit", "exit"}}};

constexpr std::string_view kBeyondVerbs =
    "NODE COMMAND...     run a program on a node or in a container, as C0w1 ifconfig or C0w1/c1 ping C0w2/c2;\n"
    "                    a bare w1 or e1 is the first cluster's; names of nodes stand for their addresses;\n"
    "                    what needs a shell (pipes, redirections, variables, wildcards) is given to sh;\n"
    "                    with & at the end it goes on in the background\n"
    "COMMAND...          any other program runs outside all nodes, as ps aux\n"
    "py C0w1.METHOD(...) the original's forms: {}\n"
    "\n"
    "Ctrl-C ends the program in front and nothing else, Ctrl-] kills it; Ctrl-D or exit takes everything down.\n"
    "help VERB tells more.\n";

int help(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 0, 1);
  auto& out = session.terminal.out;
  if (words.words.size() == 1) {
    for (const auto& verb : verbs()) out << fmt::format("{:<20}{}\n", verb.name, verb.summary);
    out << '\n' << fmt::format(kBeyondVerbs, join(method_names(), ", "));
    return kDone;
  }
  const auto& wanted = words.words[1];
  const auto* verb = find_verb(wanted.text);
  if (verb == nullptr) {
    std::vector<std::string> names;
    for (const auto& one : verbs()) names.emplace_back(one.name);
    throw LineError(wanted.span,
                    fmt::format("there is no verb {}{}", excerpt(wanted.text), did_you_mean(wanted.text, names)));
  }
  out << fmt::format("{}\n  {}\n", verb->usage, verb->summary);
  if (!verb->details.empty()) out << indent(verb->details, "  ");
  return kDone;
}

int leave(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 0, 0);
  session.leaving = true;
  return kDone;
}

}  // namespace

const std::vector<Verb>& verbs() {
  static const auto all = [] {
    std::vector<Verb> table;
    for (auto&& subject : {showing_verbs(), running_verbs(), changing_verbs(), service_verbs(), trying_verbs()})
      table.insert(table.end(), subject.begin(), subject.end());
    table.push_back({"help", "help [VERB]", "tell what can be typed here", "", {Argument::verb}, help});
    table.push_back({"exit", "exit", "take everything down and leave; Ctrl-D does the same", "", {}, leave});
    return table;
  }();
  return all;
}

const Verb* find_verb(std::string_view name) {
  for (const auto& [alias, meant] : kAliases)
    if (alias == name) name = meant;
  const auto found = std::find_if(verbs().begin(), verbs().end(), [&](const Verb& verb) { return verb.name == name; });
  return found == verbs().end() ? nullptr : &*found;
}

void require_arguments(const Words& words, std::size_t least, std::size_t most) {
  require_plain(words);
  const auto count = words.words.size() - 1;
  if (count >= least && count <= most) return;
  const auto* verb = find_verb(words.words.front().text);
  const auto usage = verb != nullptr ? std::string(verb->usage) : words.words.front().text;
  if (count < least) throw LineError({words.end, words.end}, "something is missing here", "usage: " + usage);
  throw LineError(words.words[most + 1].span, "nothing may follow here", "usage: " + usage);
}

void require_plain(const Words& words) {
  if (words.background) throw LineError({words.end, words.end + 1}, "this can't go on in the background");
  if (words.needs_shell)
    throw LineError(*words.needs_shell, "only programs on nodes, and sh, understand this",
                    "put it in quotes if it is meant as it stands");
}

}  // namespace knetsim::cli::shell
