#include <array>

#include "controller.h"

namespace knetsim::controllers {

std::span<const Controller* const> controllers() {
  static constexpr std::array<const Controller*, 3> kAll{&kEndpointSlices, &kNamespaces, &kGarbage};
  return kAll;
}

}  // namespace knetsim::controllers
