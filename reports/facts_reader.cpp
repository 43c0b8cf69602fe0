#include "json_file.h"
#include "readers.h"

namespace knetsim::report {

void read_facts(const std::filesystem::path& file, RunResult& into) {
  const auto document = read_json(file);
  const JsonPlace root(document, file.string());
  require_schema(root, "knetsim.facts/1");
  into.started = root.at("started").text();
  into.facts = root.at("facts").texts();
  into.tools = root.at("tools").texts();
  if (!root.has("shard")) return;
  const auto shard = root.at("shard");
  into.shard = Shard{shard.at("index").count(), shard.at("total").count()};
  if (into.shard->index >= into.shard->total) shard.refuse("the index isn't below the total (indexes count from 0)");
}

}  // namespace knetsim::report
