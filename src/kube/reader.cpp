#include "knetsim/kube/reader.h"

#include <fmt/format.h>

#include <utility>

#include "json_error.h"
#include "knetsim/kube/access.h"
#include "knetsim/kube/manifest.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/text.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestWarning = 256;
constexpr std::size_t kMostWarnings = 16;

/// "/spec/ports/0/name" -> "spec.ports[0].name"
std::string field_path(std::string_view pointer) {
  std::string path;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const auto step = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(step.size());
    if (!step.empty() && step.find_first_not_of("0123456789") == std::string_view::npos) {
      path += fmt::format("[{}]", step);
    } else {
      path += fmt::format("{}{}", path.empty() ? "" : ".", step);
    }
  }
  return path;
}

void check_size(std::string_view body, const ReadLimits& limits) {
  if (body.size() > limits.size) {
    throw too_large(fmt::format("Request entity too large: limit is {}", limits.size));
  }
}

JsonRules rules_of(const ReadLimits& limits) { return {.depth = limits.depth, .size = limits.size}; }

std::string cut_warning(std::string text) {
  if (text.size() > kLongestWarning) text.resize(kLongestWarning);
  return text;
}

ReadObject read_checked(const Kind& kind, const json& value, FieldValidation validation,
                        std::vector<std::string> problems) {
  if (!value.is_object())
    throw cannot_be_handled(
        kind, fmt::format("json: cannot unmarshal {} into Go value of type v1.{}", value.type_name(), kind.kind));
  const auto& api_version = member(value, "apiVersion");
  const auto& name = member(value, "kind");
  const auto expected = kind.api_version();
  const auto& sent_version = text_in(api_version);
  const auto& sent_kind = text_in(name);
  if ((!sent_kind.empty() && sent_kind != kind.kind) || (!sent_version.empty() && sent_version != expected)) {
    const auto version =
        sent_version.empty() ? std::string(kind.version) : sent_version.substr(sent_version.find('/') + 1);
    const auto shown = sent_kind.empty() ? std::string(kind.kind) : sent_kind;
    if (kind_of(sent_version.empty() ? expected : sent_version, shown) == nullptr) {
      throw bad_request(fmt::format("no kind \"{}\" is registered for version \"{}\" in scheme", excerpt(shown),
                                    excerpt(sent_version.empty() ? expected : sent_version)));
    }
    throw bad_request(fmt::format(
        "{0} in version \"{1}\" cannot be handled as a {2}: converting ({1}.{0}) to ({3}.{2}): unknown conversion",
        shown, version, kind.kind, kind.group.empty() ? "core" : kind.group.substr(0, kind.group.find('.'))));
  }
  ReadObject read;
  try {
    auto decoded = decode(kind.schema(), value);
    read.object = std::move(decoded.value);
    for (const auto& field : decoded.unknown) problems.push_back(fmt::format("unknown field \"{}\"", field));
  } catch (const InputError& error) {
    throw cannot_be_handled(kind, error.what());
  }
  read.object["apiVersion"] = expected;
  read.object["kind"] = kind.kind;
  if (problems.empty() || validation == FieldValidation::ignore) return read;
  if (problems.size() > kMostWarnings) problems.resize(kMostWarnings);
  for (auto& problem : problems) problem = cut_warning(std::move(problem));
  if (validation == FieldValidation::strict) {
    std::string all;
    for (const auto& problem : problems) all += (all.empty() ? "" : ", ") + problem;
    throw cannot_be_handled(kind, "strict decoding error: " + all);
  }
  read.warnings = std::move(problems);
  return read;
}

}  // namespace

FieldValidation field_validation(std::string_view word) {
  if (word.empty() || word == "Warn") return FieldValidation::warn;
  if (word == "Ignore") return FieldValidation::ignore;
  if (word == "Strict") return FieldValidation::strict;
  const auto message =
      fmt::format("Unsupported value: \"{}\": supported values: \"Ignore\", \"Strict\", \"Warn\"", word.substr(0, 100));
  throw ApiError(
      422, "Invalid", fmt::format("CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: {}", message),
      {{"group", "meta.k8s.io"},
       {"kind", "CreateOptions"},
       {"causes",
        json::array({{{"reason", "FieldValueNotSupported"}, {"message", message}, {"field", "fieldValidation"}}})}});
}

ReadObject read_object(const Kind& kind, std::string_view body, FieldValidation validation, const ReadLimits& limits) {
  check_size(body, limits);
  auto rules = rules_of(limits);
  std::vector<std::string> problems;
  if (validation != FieldValidation::ignore) {
    rules.refuse_doubled_keys = true;
    try {
      return read_checked(kind, parse_json(body, rules), validation, {});
    } catch (const JsonShapeError& error) {
      // Too deep, or a key that stands twice: the second reading tells.
      problems.push_back(fmt::format("duplicate field \"{}\"", field_path(error.pointer())));
    } catch (const InputError&) {  // the second reading says why
    }
    rules.refuse_doubled_keys = false;
  }
  json value;
  try {
    value = parse_json(body, rules);
  } catch (const JsonShapeError& error) {
    throw bad_request(
        fmt::format("the object provided is unrecognized (must be of type {}): {}", kind.kind, error.what()));
  } catch (const InputError&) {
    throw bad_request(fmt::format(
        "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {}",
        kind.kind, go_json_error(body)));
  }
  return read_checked(kind, value, validation, std::move(problems));
}

ReadObject read_object(const Kind& kind, const json& value, FieldValidation validation) {
  return read_checked(kind, value, validation, {});
}

json read_json_body(std::string_view body, std::string_view what, const ReadLimits& limits) {
  check_size(body, limits);
  try {
    return parse_json(body, rules_of(limits));
  } catch (const InputError& error) {
    throw bad_request(fmt::format("error decoding {}: {}", what, error.what()));
  }
}

json read_yaml_body(std::string_view body, std::string_view what, const ReadLimits& limits) {
  check_size(body, limits);
  try {
    return read_yaml(body, {.size = limits.size, .depth = limits.depth, .nodes = limits.size});
  } catch (const InputError& error) {
    throw bad_request(fmt::format("error decoding {}: error converting YAML to JSON: {}", what, error.what()));
  }
}

std::string warning_header(std::string_view warning) {
  std::string header = "299 - \"";
  for (const auto c : warning) {
    if (c == '"' || c == '\\') header += '\\';
    header += c < ' ' || c > '~' ? '?' : c;
  }
  return header + '"';
}

}  // namespace knetsim::kube
