#include "knetsim/emulator/container.h"

#include "knetsim/sys/error.h"

namespace knetsim {

Daemon& Container::run(const std::vector<std::string>& argv) {
  const auto start = [this, argv] { return std::make_shared<Process>(spawn(argv, short_name_ + ".log")); };
  program_.reset();
  return program_.emplace(name() + " " + argv.at(0), start(), start);
}

Daemon& Container::program() {
  if (!program_)
    throw InputError(describe({.where = name(),
                               .tried = "find its program",
                               .answer = "it runs none",
                               .remedy = "give it a \"command\" in the topology, or run one"}));
  return *program_;
}

}  // namespace knetsim
