#include "knetsim/cni/error.h"

#include <utility>

namespace knetsim::cni {

Error::Error(Diagnosis diagnosis, Failure failure)
    : knetsim::Error(describe(diagnosis)), failure_(std::move(failure)) {}

}  // namespace knetsim::cni
