#include "graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <ostream>

#include "knetsim/emulator/places.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli::shell {

namespace {

constexpr std::array<std::string_view, 4> kFormats{"svg", "png", "pdf", "dot"};

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

constexpr const char* kFaultColor = "#c0392b";

std::string look_of(const Place& place) {
  if (place.kind == "switch") return "shape=diamond";
  if (place.kind == "etcd") return "shape=cylinder fillcolor=\"#fdf3d8\"";
  if (place.kind == "worker") return "shape=box fillcolor=\"#dfeaf7\"";
  return "shape=box style=\"rounded,filled\" fillcolor=\"#e3f4e1\"";
}

/// Its name without its worker's, its addresses, and what is wrong with it, in red.
std::string box(const Place& place) {
  auto label = place.name.substr(place.name.find('/') + 1);
  for (const auto& address : place.addresses) label += "\\n" + address.to_string();
  for (const auto* faults : {&place.faults, &place.ended})
    for (const auto& fault : *faults) label += "\\n" + fault;
  return fmt::format(
      "  {} [label=\"{}\" {}{}];\n", quoted(place.name), label, look_of(place),
      place.faults.empty() && place.ended.empty() ? "" : fmt::format(" color=\"{0}\" fontcolor=\"{0}\"", kFaultColor));
}

std::string wire(const Place& place) {
  return place.on.empty() ? "" : fmt::format("  {} -- {};\n", quoted(place.on), quoted(place.name));
}

}  // namespace

std::string to_dot(Session& session) {
  std::string text =
      "graph knetsim {\n  rankdir=LR;\n  node [fontname=\"sans-serif\" fontsize=10 style=filled fillcolor=white];\n";
  std::map<std::string, std::string> boxes;  // by cluster; switches have none
  std::map<std::string, std::string> cluster_of;
  for (auto* cluster : session.emulation.clusters()) {
    for (const auto* node : cluster->etcd_nodes()) cluster_of[node->name()] = cluster->name();
    for (const auto* worker : cluster->workers()) cluster_of[worker->name()] = cluster->name();
  }
  const auto places = places_of(session.emulation);
  for (const auto& place : places) {
    const auto node = place.name.substr(0, place.name.find('/'));
    if (place.kind == "switch")
      text += box(place);
    else
      boxes[cluster_of[node]] += box(place);
  }
  for (const auto& [cluster, content] : boxes)
    text +=
        fmt::format("  subgraph {} {{\n  label={};\n{}  }}\n", quoted("cluster_" + cluster), quoted(cluster), content);
  for (const auto& place : places) text += wire(place);
  return text + "}\n";
}

int write_graph(Session& session, const Word& file) {
  const std::filesystem::path path = file.text;
  const auto ending = path.extension().string();
  const auto format = ending.empty() ? std::string{} : ending.substr(1);
  if (std::find(kFormats.begin(), kFormats.end(), format) == kFormats.end())
    throw LineError(file.span, "the file's ending tells the format, and this one isn't known",
                    "one of .svg, .png, .pdf, .dot");
  auto content = to_dot(session);
  if (format != "dot") {
    auto drawn = exec({.argv = {"dot", "-T" + format}}, kExecTimeout, content);
    if (!drawn.ok()) throw Error("dot couldn't draw it (" + drawn.status.describe() + "): " + drawn.err);
    content = std::move(drawn.out);
  }
  write_user_file(path, content);
  session.terminal.out << "drawn in " << std::filesystem::absolute(path).string() << '\n';
  return kDone;
}

}  // namespace knetsim::cli::shell
