#include "explaining.h"

#include "knetsim/explain/explain.h"
#include "session.h"

namespace knetsim::cli::shell {

Explained explain_to_person(Emulation& emulation, const ToExplain& what, const std::function<bool()>& stop) {
  const auto question = explain::question_of(emulation, what.from, what.to);
  explain::Options options;
  options.stop = stop;
  options.all_rules = what.verbose || what.json;
  options.dry = what.dry;
  try {
    const auto told = explain::explain(emulation, question, options);
    return {what.json ? explain::to_json(told) : explain::to_text(told, what.verbose),
            told.delivered() ? kDone : kFailed};
  } catch (const explain::Stopped& stopped) {
    return {std::string(stopped.what()) + "\n", kNotUnderstood};
  }
}

std::string reason_in_short(Emulation& emulation, const Node& from, const Address& to,
                            const std::function<bool()>& stop) {
  explain::Options options;
  options.stop = stop;
  try {
    const auto told = explain::explain(emulation, {.from = from.name(), .to = to, .to_name = to.to_string()}, options);
    if (told.delivered()) return "DELIVERED now: it comes and goes";
    return verdict_line(told) + (told.remedy.empty() ? "" : "; remedy: " + told.remedy);
  } catch (const explain::Stopped& stopped) {
    return stopped.what();
  }
}

}  // namespace knetsim::cli::shell
