#include "verbs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/text.h"
#include "lookup.h"
#include "methods.h"
#include "text.h"

namespace knetsim::cli::shell {

namespace {

// Mininet's names for the same, and an old habit.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kAliases{
    {{"pingall", "ping"}, {"net", "links"}, {"quit", "exit"}, {"EOF", "exit"}, {"?", "help"}}};

constexpr std::string_view kKeys =
    "Ctrl-C ends the program in front and nothing else, Ctrl-] three times kills it; Ctrl-D or exit takes everything\n"
    "down. help WORD tells more.\n";

std::string text_about(const Verb& verb) {
  auto text = fmt::format("{}\n  {}\n", verb.usage, verb.summary);
  if (!verb.details.empty()) text += indent(verb.details, "  ");
  if (!verb.examples.empty()) text += "as\n";
  for (const auto& example : verb.examples) text += fmt::format("  {}\n", example);
  return text;
}

int help(Session& session, std::string_view /*line*/, const Words& typed) {
  auto words = typed;
  if (words.words.front().text == "?" && words.needs_shell &&
      words.needs_shell->begin == words.words.front().span.begin)
    words.needs_shell.reset();  // no wildcard
  require_arguments(words, 0, 1);
  auto& out = session.terminal.out;
  if (words.words.size() == 1) {
    for (const auto& verb : verbs()) out << fmt::format("{:<23}{}\n", verb.name(), verb.summary);
    out << '\n';
    for (const auto& form : forms()) out << fmt::format("{:<23}{}\n", form.usage, form.summary);
    out << '\n' << kKeys;
    return kDone;
  }
  const auto& wanted = words.words[1];
  std::vector<std::string> names;
  for (const auto* table : {&verbs(), &forms()})
    for (const auto& one : *table) names.emplace_back(one.name());
  for (const auto& form : forms())
    if (form.name() == wanted.text) {
      out << text_about(form);
      return kDone;
    }
  const auto* verb = find_verb(wanted.text);
  if (verb == nullptr)
    throw LineError(wanted.span,
                    fmt::format("there is no help for {}{}", excerpt(wanted.text), did_you_mean(wanted.text, names)),
                    "help lists all there is");
  out << text_about(*verb);
  return kDone;
}

int leave(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 0, 0);
  session.leaving = true;
  return kDone;
}

void check_name(Topology& topology, const std::string& name, const std::string& pointer) {
  const auto place = topology.source.place(pointer);
  if (name == "py" || find_verb(name) != nullptr)
    throw InputError(
        fmt::format("{}: \"{}\": is a verb of the prompt, where this node couldn't be reached\n"
                    "  remedy: choose another name",
                    place, name));
  if (find_program(name))
    topology.remarks.push_back(
        fmt::format("{}: \"{}\": is a program's name as well; at the prompt it means the node, sh {} runs the program",
                    place, name, name));
}

}  // namespace

const std::vector<Verb>& verbs() {
  static const auto all = [] {
    std::vector<Verb> table;
    for (auto&& subject : {showing_verbs(), running_verbs(), changing_verbs(), service_verbs(), trying_verbs()})
      table.insert(table.end(), subject.begin(), subject.end());
    table.push_back({"help [WORD]", "tell what can be typed here", {"help", "help vip"}, {Argument::verb}, help});
    table.push_back({"exit", "take everything down and leave; Ctrl-D does the same", {"exit"}, {}, leave});
    return table;
  }();
  return all;
}

const std::vector<Verb>& forms() {
  static const std::vector<Verb> all{
      {"NODE COMMAND...",
       "run a program on a node or in a container",
       {"C0w1 ifconfig", "C0w1/c1 ping -c 1 C0w2/c2", "w1 ping -c 1 w2", "w1 wget -qO /dev/null http://c4.C0w3/",
        "C0w1 ip route | grep flannel", "C0w1/c1 sleep 100 &"},
       {},
       nullptr,
       "A bare w1 or e1 is the first cluster's. Where no slash may stand, c2.C0w2 and c2.C0 are C0w2/c2. Every program "
       "knows\n"
       "these names; here a word that is one stands for its address, unless it is quoted or there are several "
       "addresses.\n"
       "What needs a shell (pipes, redirections, variables, wildcards) is given to sh. With & at the end it goes on in "
       "the\n"
       "background."},
      {"COMMAND...", "any other program runs outside all nodes", {"ps aux"}, {}, nullptr},
      {"py OBJECT.METHOD(...)",
       "the original's forms; py may be left out",
       method_examples(),
       {},
       nullptr,
       "One call a line, with texts in quotes, whole numbers and lists."},
  };
  return all;
}

const Verb* find_verb(std::string_view name) {
  for (const auto& [alias, meant] : kAliases)
    if (alias == name) name = meant;
  const auto found =
      std::find_if(verbs().begin(), verbs().end(), [&](const Verb& verb) { return verb.name() == name; });
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

void check_names(Topology& topology) {
  for (std::size_t i = 0; i < topology.clusters.size(); ++i) {
    const auto& cluster = topology.clusters[i];
    for (std::size_t j = 0; j < cluster.etcd.size(); ++j)
      check_name(topology, cluster.etcd[j].name, fmt::format("/clusters/{}/etcd/{}/name", i, j));
    for (std::size_t j = 0; j < cluster.workers.size(); ++j)
      check_name(topology, cluster.workers[j].name, fmt::format("/clusters/{}/workers/{}/name", i, j));
  }
}

}  // namespace knetsim::cli::shell
