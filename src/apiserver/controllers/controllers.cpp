#include <array>

#include "controller.h"

namespace knetsim::controllers {

std::span<const Controller* const> controllers() {
  static constexpr std::array<const Controller*, 2> kAll{&kEndpointSlices, &kNamespaces};
  return kAll;
}

}  // namespace knetsim::controllers
