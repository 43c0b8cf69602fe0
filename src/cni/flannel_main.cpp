// The CNI plugin `flannel`: see flannel_plugin.h.

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>

#include "flannel_plugin.h"
#include "knetsim/sys/standard_output.h"

int main() {
  knetsim::cni::PluginCall call;
  for (const auto* name : {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"})
    if (const char* value = std::getenv(name)) call.environment[name] = value;
  call.input.assign(std::istreambuf_iterator<char>(std::cin), {});
  return knetsim::exit_code_after_output("flannel", knetsim::cni::run_flannel_plugin(call));
}
