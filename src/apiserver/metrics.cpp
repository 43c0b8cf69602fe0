#include "metrics.h"

#include <fmt/format.h>

#include <iterator>

namespace knetsim::apiserver {

std::string Metrics::text(const Cache& cache, std::size_t watches, std::size_t connections) const {
  std::string text = "# TYPE apiserver_request_total counter\n";
  const auto out = std::back_inserter(text);
  for (const auto& [key, count] : requests_)
    fmt::format_to(out, "apiserver_request_total{{verb=\"{}\",resource=\"{}\",code=\"{}\"}} {}\n", std::get<0>(key),
                   std::get<1>(key), std::get<2>(key), count);
  text += "# TYPE apiserver_storage_objects gauge\n";
  for (const auto& kind : kube::kinds())
    fmt::format_to(out, "apiserver_storage_objects{{resource=\"{}{}{}\"}} {}\n", kind.plural,
                   kind.group.empty() ? "" : ".", kind.group, cache.objects(kind).size());
  fmt::format_to(out,
                 "# TYPE apiserver_longrunning_requests gauge\napiserver_longrunning_requests{{verb=\"WATCH\"}} {}\n"
                 "# TYPE knetsim_apiserver_connections gauge\nknetsim_apiserver_connections {}\n"
                 "# TYPE knetsim_apiserver_revision gauge\nknetsim_apiserver_revision {}\n",
                 watches, connections, cache.revision());
  return text;
}

}  // namespace knetsim::apiserver
