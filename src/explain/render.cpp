#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "knetsim/explain/explanation.h"

namespace knetsim::explain {

namespace {

using nlohmann::json;

constexpr std::size_t kScreen = 24;  // lines

std::string_view word_of(Entry::Kind kind) {
  static constexpr std::array<std::string_view, 11> kWords{
      "hop", "hook", "chain", "rule", "lookup", "seen", "rewritten", "encapsulated", "note", "warning", "lost"};
  return kWords.at(static_cast<std::size_t>(kind));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Names that stand in front of a line; what needs none has none.
std::string label_of(const Entry& entry) {
  switch (entry.kind) {
    case Entry::Kind::rewritten:
      return "rewritten  ";
    case Entry::Kind::encapsulated:
      return "encap      ";
    case Entry::Kind::lookup:
      return "lookup     ";
    case Entry::Kind::warning:
      return "warning    ";
    case Entry::Kind::lost:
      return "LOST HERE  ";
    default:
      return "";
  }
}

void lines_of(const Entry& entry, unsigned depth, bool verbose, std::vector<std::string>& lines) {
  if (entry.detail && !verbose) return;
  lines.push_back(std::string(2 + 2 * depth, ' ') + label_of(entry) + entry.text);
  for (const auto& one : entry.inside) lines_of(one, depth + 1, verbose, lines);
}

/// A place on one line where all that is to be told of it is short.
void lines_of_hop(const Entry& hop, unsigned number, unsigned depth, bool verbose, std::vector<std::string>& lines) {
  lines.push_back(fmt::format("{}{} {}", std::string(2 + 2 * depth, ' '), number, hop.text));
  for (const auto& one : hop.inside) lines_of(one, depth + 2, verbose, lines);
}

void lines_of_tree(const std::vector<Entry>& tree, unsigned depth, bool verbose, std::vector<std::string>& lines) {
  unsigned number = 0;
  for (const auto& entry : tree) {
    if (entry.detail && !verbose) continue;
    if (entry.kind == Entry::Kind::hop) {
      lines_of_hop(entry, ++number, depth, verbose, lines);
    } else {
      lines.push_back(fmt::format("{}{}", std::string(2 + 2 * depth, ' '), entry.text));
      lines_of_tree(entry.inside, depth + 1, verbose, lines);
    }
  }
}

json tree_json(const std::vector<Entry>& entries) {
  auto all = json::array();
  for (const auto& entry : entries) {
    json one{{"kind", word_of(entry.kind)}, {"text", entry.text}};
    if (!entry.inside.empty()) one["inside"] = tree_json(entry.inside);
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

std::string_view word_of(Disposition disposition) {
  static constexpr std::array<std::string_view, kDispositions.size()> kWords{
      "DELIVERED",       "REFUSED",
      "DROPPED_BY_RULE", "DROPPED_BY_POLICY",
      "NO_ROUTE",        "NO_NEIGHBOUR",
      "LINK_DOWN",       "TOO_BIG",
      "RPFILTER",        "NOT_FORWARDING",
      "NO_LISTENER",     "WRONG_BIND",
      "NO_ENDPOINT",     "LOCAL_POLICY_NO_ENDPOINT",
      "CONNTRACK_FULL",  "BAD_CHECKSUM",
      "WRONG_MAC",       "LOST_ON_WIRE",
      "NAME_NOT_FOUND",  "UNEXPLAINED",
      "DISAGREEMENT"};
  return kWords.at(static_cast<std::size_t>(disposition));
}

std::string to_string(const Question& question) {
  const auto address = question.to.to_string();
  return fmt::format(
      "{} -> {}, {}", question.from,
      question.to_name.empty() || question.to_name == address ? address
                                                              : fmt::format("{} ({})", question.to_name, address),
      question.protocol == Protocol::icmp ? std::string(name_of(question.protocol))
                                          : fmt::format("{} port {}", name_of(question.protocol), question.port));
}

std::string verdict_line(const Explanation& one) {
  if (one.dry && one.delivered()) return fmt::format("NOTHING SENT: tables lead to {}: {}", one.place, one.sentence);
  if (one.dry)
    return fmt::format("NOTHING SENT: tables end at {}: {}: {}", one.place, word_of(one.disposition), one.sentence);
  if (one.delivered())
    return fmt::format("DELIVERED to {}{}", one.place, one.sentence.empty() ? "" : ": " + one.sentence);
  auto text = fmt::format("LOST at {}: {}", one.place, word_of(one.disposition));
  if (one.intermittent()) text += fmt::format(", intermittent: {} of {}", one.lost, one.probes);
  if (one.way == Way::back) text += ", on the way back";
  return text + ": " + one.sentence;
}

std::string to_text(const Explanation& one, bool verbose) {
  std::vector<std::string> lines{verdict_line(one)};
  lines.push_back("  asked    " + to_string(one.question));
  if (!one.cause.empty()) lines.push_back("  cause    " + one.cause);
  if (!one.object.empty()) lines.push_back("  whose    " + one.object);
  if (!one.remedy.empty()) lines.push_back("  remedy   " + one.remedy);
  if (!one.last_seen.empty()) lines.push_back("  seen     " + joined(one.last_seen));
  std::vector<std::string> tree;
  lines_of_tree(one.tree, 0, verbose, tree);
  std::vector<std::string> end;
  for (const auto& note : one.notes) end.push_back("  note     " + note);
  end.push_back(fmt::format("  witnesses: {}{}{}; {:.0f} ms", joined(one.witnesses),
                            one.absent.empty() ? "" : "; not here: ", joined(one.absent), one.milliseconds));
  // What was lost is at the end of the tree: its middle is what a screen can do without.
  const auto room = kScreen - std::min(kScreen - 6, lines.size() + end.size());
  if (!verbose && tree.size() > room) {
    const auto cut = tree.size() - room + 1;
    const auto from = static_cast<std::ptrdiff_t>(room / 2);
    tree.erase(tree.begin() + from, tree.begin() + from + static_cast<std::ptrdiff_t>(cut));
    tree.insert(tree.begin() + from, fmt::format("  ({} lines more with -v)", cut));
  }
  lines.insert(lines.end(), tree.begin(), tree.end());
  lines.insert(lines.end(), end.begin(), end.end());
  std::string text;
  for (const auto& line : lines) text += line + '\n';
  return text;
}

std::string to_json(const Explanation& one) {
  json document{{"schema", "knetsim.explain/1"},
                {"verdict", verdict_line(one)},
                {"disposition", word_of(one.disposition)},
                {"delivered", one.delivered() && !one.dry},
                {"dry", one.dry},
                {"way", one.way == Way::there ? "there" : "back"},
                {"place", one.place},
                {"sentence", one.sentence},
                {"cause", one.cause},
                {"object", one.object},
                {"remedy", one.remedy},
                {"probes", one.probes},
                {"lost", one.lost},
                {"lastSeen", one.last_seen},
                {"tree", tree_json(one.tree)},
                {"notes", one.notes},
                {"witnesses", one.witnesses},
                {"absent", one.absent},
                {"milliseconds", one.milliseconds},
                {"question",
                 {{"from", one.question.from},
                  {"to", one.question.to.to_string()},
                  {"name", one.question.to_name},
                  {"protocol", name_of(one.question.protocol)},
                  {"port", one.question.port}}}};
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace knetsim::explain
