#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "cache.h"

namespace knetsim::apiserver {

/// What /metrics tells, under upstream's names.
class Metrics {
 public:
  void count(std::string_view verb, std::string_view resource, unsigned code) {
    ++requests_[{std::string(verb), std::string(resource), code}];
  }
  /// Prometheus' text format.
  std::string text(const Cache& cache, std::size_t watches, std::size_t connections) const;

 private:
  std::map<std::tuple<std::string, std::string, unsigned>, std::uint64_t> requests_;
};

}  // namespace knetsim::apiserver
