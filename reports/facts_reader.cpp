#include "json_file.h"
#include "readers.h"

namespace knetsim::report {

void read_facts(const std::filesystem::path& file, RunResult& into) {
  const auto document = read_json_file(file);
  const JsonPlace at(document);
  require_schema(at, "knetsim.facts/1");
  into.started = at["started"].string();
  into.facts = texts_of(at["facts"]);
  into.tools = texts_of(at["tools"]);
  const auto shard = at.find("shard");
  if (!shard) return;
  into.shard = Shard{(*shard)["index"].integer<std::size_t>(), (*shard)["total"].integer<std::size_t>()};
  if (into.shard->index >= into.shard->total) shard->refuse("the index isn't below the total (indexes count from 0)");
}

}  // namespace knetsim::report
