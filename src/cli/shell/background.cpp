#include "background.h"

#include <fmt/format.h>

#include <utility>

namespace knetsim::cli::shell {

BackgroundProgram& Background::start(const Node& node, std::vector<std::string> argv,
                                     const std::filesystem::path& capture) {
  auto name = std::filesystem::path(argv.front()).filename().string();
  const auto log = fmt::format("{}-{}.log", name, ++started_);
  return programs_.emplace_back(
      BackgroundProgram{node.name(), std::move(name), capture, node.spawn(std::move(argv), log)});
}

void Background::end_on(const std::string& node) {
  programs_.remove_if([&](const BackgroundProgram& program) { return program.node == node; });
}

void Background::forget_ended() {
  programs_.remove_if([](BackgroundProgram& program) { return !program.process.running(); });
}

}  // namespace knetsim::cli::shell
