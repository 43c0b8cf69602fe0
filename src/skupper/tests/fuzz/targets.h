#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

// What untrusted bytes are fed to: by libFuzzer (sys/tests/libfuzzer.cpp) and, mutated from what is valid, by the unit
// tests.
namespace knetsim::skupper::fuzz {

/// Throws, or lets a sanitizer stop it, only if the code under test is wrong: refusing bad input is right.
using Target = void (*)(std::string_view bytes);

/// "value", "control", "flow", "properties", "engine", "config", "message"
const std::map<std::string, Target>& targets();

/// Valid input for a target, to begin with.
std::vector<std::string> seeds(const std::string& target);

}  // namespace knetsim::skupper::fuzz
