// Verbs that try whether what stands works.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ostream>

#include "explaining.h"
#include "knetsim/sys/text.h"
#include "live_checks.h"
#include "lookup.h"
#include "ping_matrix.h"
#include "programs.h"
#include "text.h"
#include "verbs.h"

namespace knetsim::cli::shell {

namespace {

constexpr std::size_t kExplainedPings = 12;

/// Why pings weren't answered, what has the same reason together; not of more than some, which take their time.
void tell_why(Session& session, const std::vector<Node*>& pods, const PingMatrix& matrix) {
  std::vector<std::pair<std::string, std::vector<std::string>>> reasons;
  std::size_t explained = 0;
  std::size_t left = 0;
  for (std::size_t i = 0; i < pods.size(); ++i)
    for (std::size_t j = 0; j < pods.size(); ++j) {
      if (!matrix[i][j] || *matrix[i][j]) continue;
      if (explained == kExplainedPings || session.interrupted()) {
        ++left;
        continue;
      }
      ++explained;
      const auto why = reason_in_short(session.emulation, *pods[i], pods[j]->address(), session.interrupted);
      auto known = std::find_if(reasons.begin(), reasons.end(), [&](const auto& one) { return one.first == why; });
      if (known == reasons.end()) known = reasons.insert(reasons.end(), {why, {}});
      known->second.push_back(pods[i]->name() + " -> " + pods[j]->name());
    }
  for (const auto& [why, pairs] : reasons)
    session.terminal.out << why << '\n' << indent("of " + join(pairs, ", "), "  ") << '\n';
  if (left > 0) session.terminal.out << fmt::format("{} more weren't looked into\n", left);
}

PingCount show_matrix(Session& session, Cluster& cluster, bool why) {
  std::vector<Node*> pods;
  Row head{cluster.name()};
  for (auto* container : cluster.containers()) {
    pods.push_back(container);
    head.push_back(container->short_name());
  }
  const auto matrix = ping_all(pods, session.interrupted);
  std::vector<Row> rows{head};
  for (std::size_t i = 0; i < pods.size(); ++i) {
    Row row{head[i + 1]};
    for (const auto& cell : matrix[i]) row.emplace_back(cell ? *cell ? kGood : kBad : kNeither);
    rows.push_back(std::move(row));
  }
  session.terminal.out << table(rows);
  if (why) tell_why(session, pods, matrix);
  return count(matrix);
}

int ping_one(Session& session, const Word& from, const Word& to) {
  const auto address = find_node(session, to).address().to_string();
  return run_in_front(session, find_node(session, from).command({"ping", "-c", "1", "-W", "2", address}));
}

int ping(Session& session, std::string_view /*line*/, const Words& words) {
  const auto& first = words.words.front();
  const bool why = words.words.size() > 1 && words.words.back().text == "--why";
  const auto said = words.words.size() - (why ? 1 : 0);
  const bool all_of_them = first.text == "pingall" || (said == 2 && words.words[1].text == "all");
  if (!all_of_them) {
    require_arguments(words, 2, 2);
    return ping_one(session, words.words[1], words.words[2]);
  }
  PingCount all;
  for (auto* cluster : session.emulation.clusters()) {
    if (cluster->containers().size() < 2) continue;
    const auto one = show_matrix(session, *cluster, why);
    all.answered += one.answered;
    all.sent += one.sent;
  }
  session.terminal.out << fmt::format("{} of {} pings answered (a row pings the columns)\n", all.answered, all.sent);
  return all.answered == all.sent ? kDone : kFailed;
}

int explain(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 2, 5);
  ToExplain what{.from = find_node(session, words.words[1]).name(), .to = words.words[2].text};
  for (std::size_t i = 3; i < words.words.size(); ++i) {
    const auto& option = words.words[i];
    if (option.text == "-v")
      what.verbose = true;
    else if (option.text == "--json")
      what.json = true;
    else if (option.text == "--dry")
      what.dry = true;
    else
      throw LineError(option.span,
                      "expected -v, --json or --dry" + did_you_mean(option.text, {"-v", "--json", "--dry"}));
  }
  const auto told = explain_to_person(session.emulation, what, session.interrupted);
  session.terminal.out << told.text;
  return told.code;
}

/// "--only a,b", "--only=a,b" or nothing: the ids, each with its place.
std::vector<Word> wanted_checks(const Words& words) {
  require_plain(words);
  if (words.words.size() == 1) return {};
  const auto& option = words.words[1];
  auto list = option;
  if (option.text == "--only" && words.words.size() == 3)
    list = words.words[2];
  else if (option.text.starts_with("--only=") && words.words.size() == 2)
    list.text = option.text.substr(std::string_view("--only=").size());
  else
    throw LineError(option.span, "expected --only and a list", "usage: check [--only ID,...]");
  std::vector<Word> ids;
  for (std::size_t at = 0; at <= list.text.size();) {
    const auto comma = std::min(list.text.find(',', at), list.text.size());
    ids.push_back({list.text.substr(at, comma - at), list.span});
    at = comma + 1;
  }
  return ids;
}

std::vector<LiveCheck> selected_checks(const Words& words) {
  const auto wanted = wanted_checks(words);
  std::vector<std::string> known;
  for (const auto& check : live_checks()) known.emplace_back(check.id);
  for (const auto& id : wanted)
    if (std::find(known.begin(), known.end(), id.text) == known.end())
      throw LineError(id.span, fmt::format("there is no check {}{}", excerpt(id.text), did_you_mean(id.text, known)),
                      "one of " + join(known, ", "));
  std::vector<LiveCheck> selected;
  for (const auto& check : live_checks())
    if (wanted.empty() ||
        std::any_of(wanted.begin(), wanted.end(), [&](const Word& id) { return id.text == check.id; }))
      selected.push_back(check);
  return selected;
}

Finding finding_of(const LiveCheck& check, Session& session) try {
  return check.run(session);
} catch (const Error& error) {
  return {.looked_at = 1, .wrong = {error.what()}};
}

void show(Session& session, const LiveCheck& check, const Finding& finding, double seconds) {
  const auto& style = session.style;
  auto& out = session.terminal.out;
  if (finding.looked_at == 0) {
    out << fmt::format("{} {:<15} not there: {}\n", kNeither, check.id, check.absent);
    return;
  }
  const bool good = finding.wrong.empty();
  const auto counted = finding.counted.empty() ? count_of(finding.looked_at, check.looks_at) : finding.counted;
  out << fmt::format("{} {:<15} {} {}\n", good ? style.green(kGood) : style.red(kBad), check.id, check.title,
                     style.dim(fmt::format("({}, {})", counted, seconds_text(seconds))));
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(finding.wrong.size(), kShown); ++i) out << indent(finding.wrong[i], "    ");
  if (finding.wrong.size() > kShown) out << fmt::format("    and {} more\n", finding.wrong.size() - kShown);
}

int check(Session& session, std::string_view /*line*/, const Words& words) {
  std::size_t held = 0;
  std::size_t looked = 0;
  const auto selected = selected_checks(words);
  for (const auto& one : selected) {
    const auto start = std::chrono::steady_clock::now();
    const auto finding = finding_of(one, session);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (session.interrupted()) {
      session.terminal.out << fmt::format("interrupted in {}\n", one.id);
      return kFailed;
    }
    show(session, one, finding, took.count());
    session.terminal.out << std::flush;
    if (finding.looked_at == 0) continue;
    ++looked;
    if (finding.wrong.empty()) ++held;
  }
  const auto absent = selected.size() - looked;
  session.terminal.out << (looked == 0 ? "there was nothing to check"
                                       : fmt::format("{} of {} {}", held, count_of(looked, "check"),
                                                     looked == 1 ? "holds" : "hold"))
                       << (looked == 0 || absent == 0 ? "" : fmt::format("; {} had nothing to look at", absent))
                       << '\n';
  // Where nothing was looked at, nothing was proven.
  return looked > 0 && held == looked ? kDone : kFailed;
}

}  // namespace

std::vector<Verb> trying_verbs() {
  return {
      {"ping all [--why] | ping NODE NODE",
       "every container pings every other of its cluster, as a truth table; or the first node the second",
       {"ping all", "ping C0w1/c1 C0w2/c2"},
       {Argument::all, Argument::peer},
       ping,
       "With --why what isn't answered is explained, as by explain."},
      {"explain NODE TARGET[:PORT][/PROTOCOL] [-v|--json] [--dry]",
       "follow packets on their whole way, and say where and why they are lost",
       {"explain C0w1/c1 C0w2/c2", "explain C0w1/c1 100.64.10.1 -v"},
       {Argument::node, Argument::target},
       explain,
       "Sends three real packets from the node: TCP where there is a port, else ICMP; /udp, /tcp and /icmp say it. "
       "What "
       "it adds\n"
       "to the packet filter to watch them is taken away again. -v tells all that was seen, --json the same for "
       "programs.\n"
       "A target may be a Service, too: svc/web:80, web.default. "
       "--dry only looks at routes, neighbours, Services and listeners, and sends nothing.\n"
       "Ends well if they are delivered, badly if one is lost."},
      {"check [--only ID,...]",
       "prove that what stands works",
       {"check --only etcd,flannel"},
       {Argument::only, Argument::checks},
       check,
       "Looks at this emulation and leaves it as it is. What the topology hasn't (– not there) isn't counted.\n"
       "knetsim check, outside, proves more on clusters of its own."},
  };
}

}  // namespace knetsim::cli::shell
