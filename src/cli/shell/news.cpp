#include "news.h"

#include <fmt/format.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "lookup.h"

namespace knetsim::cli::shell {

namespace {

/// Whether it sleeps, which proc(5) calls S: for the next request, most likely.
bool waits(const Process& process) {
  const auto stat = read_file(fmt::format("/proc/{}/stat", process.pid()));
  const auto name_end = stat.rfind(") ");
  return name_end != std::string::npos && stat.substr(name_end + 2, 1) == "S";
}

}  // namespace

void News::settle(Session& session) try {
  eventually(
      [&]() -> std::optional<std::string> {
        for (auto* cluster : session.emulation.clusters())
          for (auto* container : cluster->containers()) {
            if (!container->has_program()) continue;
            auto& process = container->program().process();
            if (process.running() && !waits(process)) return container->name() + "'s program";
          }
        return std::nullopt;
      },
      std::chrono::seconds(1));
} catch (const Error&) {
  // It works without end, or is gone: both are well.
}

std::vector<std::string> News::take(Session& session) {
  std::vector<std::string> news;
  for (const auto& program : running_programs(session)) {
    if (program.whose != Running::Whose::lab || program.told_to_end || program.process == nullptr) continue;
    const auto status = program.process->status();
    if (!status || !told_.insert(program.process->pid()).second) continue;
    news.push_back(fmt::format("{} {} has ended ({}); its log is {}", program.node, program.name, status->describe(),
                               program.process->log().string()));
  }
  return news;
}

}  // namespace knetsim::cli::shell
