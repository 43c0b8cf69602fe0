// The CNI plugin `flannel`: see flannel_plugin.h.

#include <array>
#include <cstdlib>

#include "flannel_plugin.h"
#include "knetsim/sys/standard_output.h"

int main() {
  knetsim::cni::PluginCall call;
  for (const auto* name : {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"})
    if (const char* value = std::getenv(name)) call.environment[name] = value;
  std::array<char, 65536> buffer;
  while (call.input.size() <= knetsim::cni::kLongestInput) {
    const auto count = std::fread(buffer.data(), 1, buffer.size(), stdin);
    if (count == 0) break;
    call.input.append(buffer.data(), count);
  }
  return knetsim::exit_code_after_output("flannel", knetsim::cni::run_flannel_plugin(call));
}
