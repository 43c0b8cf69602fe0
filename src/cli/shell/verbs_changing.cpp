// Verbs that change what stands.
#include <fmt/format.h>

#include "lookup.h"
#include "programs.h"
#include "verbs.h"

namespace knetsim::cli::shell {

namespace {

/// "C0w1/c5", or "C0w1 c5": the two parts with their places.
std::pair<Word, Word> worker_and_name(const Words& words) {
  require_arguments(words, 1, 2);
  const auto& first = words.words[1];
  const auto slash = first.text.find('/');
  if (words.words.size() == 3) {
    if (slash == std::string::npos) return {first, words.words[2]};
    throw LineError(words.words[2].span, "nothing may follow a container's name",
                    "a container is a network namespace: it has no image, and what runs in it is typed as " +
                        first.text + " COMMAND");
  }
  if (slash == std::string::npos)
    throw LineError({words.end, words.end}, "which container?", fmt::format("as: {}/c5", first.text));
  return {{first.text.substr(0, slash), first.span}, {first.text.substr(slash + 1), first.span}};
}

int create(Session& session, std::string_view /*line*/, const Words& words) {
  const auto [worker, name] = worker_and_name(words);
  create_container_on(session, find_worker(session, worker), name);
  return kDone;
}

int remove(Session& session, std::string_view /*line*/, const Words& words) {
  const auto [worker, name] = worker_and_name(words);
  const auto& on = find_worker(session, worker);
  delete_container(session, find_container(session, {on.name() + "/" + name.text, name.span}));
  return kDone;
}

/// Mininet names both ends of a link: `link s0 w1 down`. Here each node has one cable, to its switch.
const Word& end_with_a_cable(Session& session, const Word& one, const Word& other) {
  const auto cables = session.emulation.underlay().cables();
  const auto is_plugged = [&](const Word& node, const Word& into) {
    const auto* found = session.emulation.find(node.text);
    const auto cable = found == nullptr ? cables.end() : cables.find(found->name());
    return cable != cables.end() && cable->second.to == into.text;
  };
  if (is_plugged(one, other)) return one;
  if (is_plugged(other, one)) return other;
  throw LineError({one.span.begin, other.span.end}, "no cable joins these two",
                  "nodes shows which switch a node is plugged into; link NODE down pulls its cable");
}

int link(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 2, 3);
  const auto& node = find_node(
      session, words.words.size() == 4 ? end_with_a_cable(session, words.words[1], words.words[2]) : words.words[1]);
  if (node.name().find('/') != std::string::npos)
    throw LineError(words.words[1].span, "only workers and etcd nodes have a cable",
                    fmt::format("{} ip link set eth0 down is for containers", node.name()));
  const auto& state = words.words.back();
  if (state.text == "down")
    session.emulation.underlay().cut(node.name());
  else if (state.text == "up")
    session.emulation.underlay().heal(node.name());
  else
    throw LineError(state.span, "expected up or down" + did_you_mean(state.text, {"up", "down"}));
  return kDone;
}

int kill(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 2, 2);
  const auto program = find_program_on(session, words.words[1], words.words[2]);
  if (program.process == nullptr || !program.process->running())
    throw LineError(words.words[2].span, "it has ended already");
  program.kill();
  session.background.forget_ended();
  return kDone;
}

int restart(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 2, 2);
  const auto program = find_program_on(session, words.words[1], words.words[2]);
  if (!program.restart) throw LineError(words.words[2].span, "what was started at the prompt is typed again instead");
  program.restart();
  return kDone;
}

}  // namespace

std::vector<Verb> changing_verbs() {
  return {
      {"create WORKER/NAME", "make a container and connect it", {"create C0w1/c9"}, {Argument::worker}, create},
      {"delete WORKER/NAME", "disconnect a container and end it", {"delete C0w1/c9"}, {Argument::container}, remove},
      {"link NODE [SWITCH] down|up",
       "pull a node's cable out of its switch, or put it back",
       {"link C0w2 down", "link C0w2 up"},
       {Argument::node, Argument::state},
       link},
      {"kill NODE PROGRAM",
       "SIGKILL to a daemon, or to what was started with &",
       {"kill C0w3 flanneld"},
       {Argument::node, Argument::daemon},
       kill},
      {"restart NODE DAEMON",
       "start a daemon anew, and wait until it works",
       {"restart C0w3 flanneld"},
       {Argument::node, Argument::daemon},
       restart},
  };
}

}  // namespace knetsim::cli::shell
