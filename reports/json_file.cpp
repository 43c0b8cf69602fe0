#include "json_file.h"

#include <fmt/format.h>

#include "knetsim/sys/file.h"

namespace knetsim::report {

JsonDocument read_json_file(const std::filesystem::path& file) {
  return read_json_text(read_file(file), file.string());
}

JsonDocument read_json_text(const std::string& text, const std::string& source) {
  constexpr std::size_t kLongest = 512UL << 20;  // a nightly report of 100,000 tests has some 50 MB
  return read_json({.file = source,
                    .text = text,
                    .help = "see docs/results-schema.md; if whoever wrote it died while writing, run it again"},
                   {.size = kLongest});
}

void require_schema(const JsonPlace& root, std::string_view wanted) {
  const auto schema = root["schema"];
  if (schema.string() != wanted)
    schema.refuse(fmt::format("this knetsim-report reads \"{}\"", wanted),
                  "use the knetsim-report of the build that wrote it");
}

std::map<std::string, std::string> texts_of(const JsonPlace& object) {
  std::map<std::string, std::string> texts;
  for (const auto& [name, text] : object.members()) texts.emplace(name, text.string());
  return texts;
}

}  // namespace knetsim::report
