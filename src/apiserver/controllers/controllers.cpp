#include <array>

#include "controller.h"

namespace knetsim::controllers {

std::span<const Controller* const> controllers() {
  static constexpr std::array<const Controller*, 4> kAll{&kEndpointSlices, &kNamespaces, &kGarbage, &kScheduler};
  return kAll;
}

}  // namespace knetsim::controllers
