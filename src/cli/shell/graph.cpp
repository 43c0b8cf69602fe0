#include "graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <ostream>

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

std::string box(const std::string& id, const std::string& name, const std::string& address, const char* look) {
  return fmt::format("  {} [label=\"{}\\n{}\" {}];\n", quoted(id), name, address, look);
}

std::string wire(const std::string& a, const std::string& b) {
  return fmt::format("  {} -- {};\n", quoted(a), quoted(b));
}

std::string nodes_of(Cluster& cluster) {
  std::string text;
  const auto& spec = cluster.spec();
  const auto add = [&](const Node& node, const NodeSpec& one, const char* look) {
    text += box(node.name(), node.name(), node.address().to_string(), look);
    text += wire(one.switch_name.empty() ? spec.switch_name : one.switch_name, node.name());
  };
  const auto members = cluster.etcd_nodes();
  for (std::size_t i = 0; i < members.size(); ++i)
    add(*members[i], spec.etcd[i], "shape=cylinder fillcolor=\"#fdf3d8\"");
  const auto workers = cluster.workers();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    add(*workers[i], spec.workers[i], "shape=box fillcolor=\"#dfeaf7\"");
    for (const auto* container : workers[i]->containers()) {
      text += box(container->name(), container->short_name(), container->address().to_string(),
                  "shape=box style=\"rounded,filled\" fillcolor=\"#e3f4e1\"");
      text += wire(workers[i]->name(), container->name());
    }
  }
  return text;
}

}  // namespace

std::string to_dot(Session& session) {
  std::string text =
      "graph knetsim {\n  rankdir=LR;\n  node [fontname=\"sans-serif\" fontsize=10 style=filled fillcolor=white];\n";
  for (const auto& one : session.emulation.topology().underlay.switches) {
    text += fmt::format("  {} [shape=diamond];\n", quoted(one.name));
    if (!one.uplink.empty()) text += wire(one.uplink, one.name);
  }
  for (auto* cluster : session.emulation.clusters())
    text += fmt::format("  subgraph {} {{\n  label={};\n{}  }}\n", quoted("cluster_" + cluster->name()),
                        quoted(cluster->name()), nodes_of(*cluster));
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
  write_file_atomically(path, content);
  session.terminal.out << "drawn in " << std::filesystem::absolute(path).string() << '\n';
  return kDone;
}

}  // namespace knetsim::cli::shell
