#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "readers.h"

namespace knetsim::report {

namespace fs = std::filesystem;

namespace {

/// "src/flannel" for what lies below it, else the directory at the top.
std::string layer_of(std::string_view source, const fs::path& root) {
  const auto relative = fs::path(source).lexically_relative(root);
  auto part = relative.begin();
  if (part == relative.end() || *part == "..") return {};
  auto layer = part->string();
  if (layer == "src" && ++part != relative.end()) layer += "/" + part->string();
  return layer;
}

}  // namespace

std::vector<LayerCoverage> read_lcov(const fs::path& file, const fs::path& root) {
  const auto text = read_file(file);
  std::vector<LayerCoverage> layers;
  LayerCoverage* current = nullptr;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.starts_with("SF:")) {
      const auto name = layer_of(line.substr(3), root);
      auto known = std::find_if(layers.begin(), layers.end(), [&](const auto& layer) { return layer.layer == name; });
      if (known == layers.end()) known = layers.insert(known, {name, 0, 0});
      current = name.empty() ? nullptr : &*known;
    } else if ((line.starts_with("LF:") || line.starts_with("LH:")) && current != nullptr) {
      std::size_t count = 0;
      const auto [rest, error] = std::from_chars(line.data() + 3, line.data() + line.size(), count);
      if (error != std::errc{} || rest != line.data() + line.size())
        throw InputError(describe({.where = fmt::format("{}:{}", file.string(), number),
                                   .tried = "read a count of lines",
                                   .answer = std::string(line.substr(0, 40)),
                                   .remedy = "run ci/coverage again"}));
      (line[1] == 'F' ? current->lines : current->hit) += count;
    }
  }
  std::erase_if(layers, [](const LayerCoverage& layer) { return layer.layer.empty(); });
  if (layers.empty())
    throw InputError(describe({.where = file.string(),
                               .tried = "find source files below " + root.string(),
                               .answer = "the tracefile names none",
                               .remedy = "run ci/coverage again"}));
  return layers;
}

}  // namespace knetsim::report
