#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "command.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::cli {

inline const std::filesystem::path kFakeSuite = KNETSIM_FAKE_SUITE;
inline const std::filesystem::path kFakeLiar = KNETSIM_FAKE_LIAR;
inline const std::filesystem::path kProgram = KNETSIM_PROGRAM;

using Variables = std::map<std::string, std::string>;

/// Sets variables of the environment for as long as it lives.
class Environment {
 public:
  explicit Environment(const Variables& variables) {
    for (const auto& [name, value] : variables) {
      const char* before = std::getenv(name.c_str());
      before_[name] = before != nullptr ? std::string(before) : kUnset;
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~Environment() {
    for (const auto& [name, value] : before_)
      if (value == kUnset)
        ::unsetenv(name.c_str());
      else
        ::setenv(name.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  inline static const std::string kUnset{"\0unset", 6};
  std::map<std::string, std::string> before_;
};

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

/// The program knetsim, in this process.
inline Ran knetsim(const std::vector<std::string>& arguments, const Variables& variables = {}) {
  const Environment environment(variables);
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err};
  const int code = run(arguments, terminal);
  return {code, out.str(), err.str()};
}

inline Ran check_fake(const std::string& mode, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"check", "--suite", kFakeSuite.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return knetsim(arguments, {{"FAKE", mode}});
}

/// A file in the test's own sandbox.
inline std::filesystem::path scratch(const std::string& name, const std::string& content = {}) {
  auto path = std::filesystem::path(kStateDirectory) / name;
  std::ofstream(path) << content;
  return path;
}

}  // namespace knetsim::cli
