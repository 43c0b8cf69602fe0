#include "knetsim/cli/flavours.h"

#include <cstdlib>
#include <string_view>

#include "knetsim/cni/plugins.h"
#include "knetsim/flannel/launcher.h"

namespace knetsim::cli {

void require_flavour(const Flavoured& part, const std::string& value) {
  // As an emulation resolves them when it boots.
  if (std::string_view(part.option) == "--cni") {
    const char* cni_path = std::getenv("CNI_PATH");
    cni::resolve(value, cni_path != nullptr ? cni_path : "");
  } else {
    auto environment = flannel::Environment::current();
    environment.flannel = value;
    flannel::resolve("auto", environment);
  }
}

}  // namespace knetsim::cli
