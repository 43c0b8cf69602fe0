#include "knetsim/kube/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "knetsim/kube/access.h"
#include "knetsim/kube/kinds.h"
#include "knetsim/kube/schema.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/json_source.h"
#include "knetsim/sys/text.h"
#include "yaml_reader.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

/// "spec.ports[0].prot" -> "/spec/ports/0/prot"; of a path whose names have dots, up to there.
std::string pointer_of(std::string_view path) {
  std::string pointer;
  for (const auto c : path) {
    if (pointer.empty() || c == '.' || c == '[') pointer += '/';
    if (c != '.' && c != '[' && c != ']') pointer += c;
  }
  return pointer;
}

/// One file, and how its objects are told apart and placed.
class ManifestReader {
 public:
  ManifestReader(std::string_view file, std::string_view text, const ManifestLimits& limits)
      : file_(file), text_(text), limits_(limits) {}

  std::vector<Manifest> read() {
    const auto start = text_.find_first_not_of(" \t\r\n");
    if (start != std::string_view::npos && text_[start] == '{') {
      read_as_json();
      return std::move(found_);
    }
    std::size_t document = 0;
    try {
      for_each_yaml_document(text_, limits_, [&](YamlDocument&& each) {
        ++document;
        if (!each.value.is_null()) add(std::move(each.value), document, each.line, {});
        return true;
      });
    } catch (const JsonError&) {
      throw;
    } catch (const Placed&) {
      throw;
    } catch (const InputError& error) {
      throw Placed(fmt::format("{}: {}", file_, error.what()));
    }
    return std::move(found_);
  }

 private:
  /// An error that names the file already.
  class Placed : public InputError {
   public:
    using InputError::InputError;
  };

  void read_as_json() {
    is_json_ = true;
    auto value =
        parse_json(text_, {.depth = limits_.depth, .size = limits_.size, .refuse_doubled_keys = true, .file = file_});
    add(std::move(value), 1, 1, {});
  }

  [[noreturn]] void refuse(std::size_t document, const std::string& pointer, const std::string& problem,
                           const std::string& remedy) const {
    const auto shown = pointer.empty() ? "" : fmt::format("{}: ", pointer.substr(0, 120));
    throw Placed(fmt::format("{}: {}{}{}", place(document, line_of(document, pointer)), shown, problem,
                             remedy.empty() ? "" : "\n  remedy: " + remedy));
  }

  std::string place(std::size_t document, std::size_t line) const {
    return Manifest{.object = {}, .file = std::string(file_), .document = document, .line = line}.place();
  }

  std::size_t line_of(std::size_t document, const std::string& pointer) const {
    if (!is_json_) return yaml_line_of(text_, document, pointer, limits_);
    // "file:12: /pointer"
    const auto placed = JsonSource{.file = "f", .text = std::string(text_)}.place(pointer);
    const auto digits = placed.substr(std::min<std::size_t>(2, placed.size()));
    return static_cast<std::size_t>(std::max(1, std::atoi(digits.c_str())));
  }

  void add(json value, std::size_t document, std::size_t line, const std::string& at) {
    if (!value.is_object()) refuse(document, at, "an object is a mapping", {});
    const auto& version = text_at(value, "apiVersion");
    const auto& name = text_at(value, "kind");
    if (version.empty()) refuse(document, at, "apiVersion isn't set", "apiVersion: v1, or <group>/<version>");
    if (name.empty()) refuse(document, at, "kind isn't set", "kind: Service, for example");
    if (version == "v1" && name == "List") {
      auto items = list_at(value, "items");
      for (std::size_t i = 0; i < items.size(); ++i) {
        const auto place_of_item = fmt::format("{}/items/{}", at, i);
        add(std::move(items[i]), document, line_of(document, place_of_item), place_of_item);
      }
      return;
    }
    const auto* const kind = kind_of(version, name);
    if (kind == nullptr)
      refuse(document, at + "/kind", unknown_kind(version, name), "kinds that are known: kubectl api-resources");
    check_fields(*kind, value, document, at);
    if (found_.size() >= limits_.objects)
      refuse(document, at, fmt::format("more than {} objects", limits_.objects), {});
    found_.push_back({.object = std::move(value), .file = std::string(file_), .document = document, .line = line});
  }

  static std::string unknown_kind(const std::string& version, const std::string& name) {
    std::vector<std::string> known;
    for (const auto& kind : kinds()) known.push_back(fmt::format("{} of {}", kind.kind, kind.api_version()));
    const auto wanted = fmt::format("{} of {}", name, version);
    const auto meant = nearest(wanted, known);
    return fmt::format("there is no kind {}{}", excerpt(wanted, 120),
                       meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant));
  }

  void check_fields(const Kind& kind, const json& value, std::size_t document, const std::string& at) const {
    try {
      const auto decoded = decode(kind.schema(), value);
      if (decoded.unknown.empty()) return;
      const auto& path = decoded.unknown.front();
      refuse(document, at + pointer_of(path), fmt::format("unknown field \"{}\"", path.substr(0, 200)),
             fmt::format("kubectl explain {}", kind.singular));
    } catch (const Placed&) {
      throw;
    } catch (const InputError& error) {
      refuse(document, at, error.what(), fmt::format("kubectl explain {}", kind.singular));
    }
  }

  std::string_view file_;
  std::string_view text_;
  const ManifestLimits& limits_;
  bool is_json_ = false;
  std::vector<Manifest> found_;
};

}  // namespace

std::string Manifest::place() const {
  return document > 1 ? fmt::format("{}:{} (document {})", file, line, document) : fmt::format("{}:{}", file, line);
}

std::vector<Manifest> read_manifests(std::string_view file, std::string_view text, const ManifestLimits& limits) {
  return ManifestReader(file, text, limits).read();
}

json read_yaml(std::string_view text, const ManifestLimits& limits) {
  json value;
  std::size_t documents = 0;
  for_each_yaml_document(text, limits, [&](YamlDocument&& document) {
    if (document.value.is_null()) return true;
    if (++documents > 1) throw InputError(fmt::format("line {}, column 1: a second document", document.line));
    value = std::move(document.value);
    return true;
  });
  return value;
}

}  // namespace knetsim::kube
