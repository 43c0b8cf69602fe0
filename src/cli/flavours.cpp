#include "knetsim/cli/flavours.h"

#include <cstdlib>
#include <string_view>

#include "knetsim/cni/plugins.h"
#include "knetsim/flannel/launcher.h"
#include "knetsim/skupper/launcher.h"

namespace knetsim::cli {

void require_flavour(const Flavoured& part, const std::string& value) {
  // As an emulation resolves them when it boots.
  const std::string_view option(part.option);
  if (option == "--cni") {
    const char* cni_path = std::getenv("CNI_PATH");
    cni::resolve(value, cni_path != nullptr ? cni_path : "");
  } else if (option == "--skupper") {
    auto environment = skupper::Environment::current();
    environment.skupper = value;
    skupper::resolve("auto", environment);
  } else {
    auto environment = flannel::Environment::current();
    environment.flannel = value;
    flannel::resolve("auto", environment);
  }
}

}  // namespace knetsim::cli
