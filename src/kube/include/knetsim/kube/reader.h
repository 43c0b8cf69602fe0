#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/kube/kinds.h"

namespace knetsim::kube {

/// What to do about fields that aren't known, and keys that stand twice: query word fieldValidation.
enum class FieldValidation { ignore, warn, strict };

/// Throws ApiError 422 for any other word; empty: warn.
FieldValidation field_validation(std::string_view word);

struct ReadLimits {
  std::size_t size = 3UL << 20;  ///< bytes; upstream's limit of a request's body
  std::size_t depth = 200;
};

/// An object that a client has sent, and of which every known field is of the right type.
struct ReadObject {
  nlohmann::json object;  ///< with apiVersion and kind, whether they were sent or not; no unknown fields, no nulls
  std::vector<std::string>
      warnings;  ///< `unknown field "spec.nope"`: for the header Warning (299), in which quotes are escaped
};

/// Reads a body that was sent to a resource of that kind: bounded in size and depth. Throws ApiError: 400 for what
/// isn't JSON, is of another kind or of the wrong type, or (strict) has unknown or doubled fields; 413.
ReadObject read_object(const Kind& kind, std::string_view body, FieldValidation validation,
                       const ReadLimits& limits = {});
/// The same of a value that has been read already (YAML, protobuf, a patched object).
ReadObject read_object(const Kind& kind, const nlohmann::json& value, FieldValidation validation);

/// JSON that is no object of ours: patches, DeleteOptions. Throws ApiError 400, 413.
nlohmann::json read_json_body(std::string_view body, std::string_view what, const ReadLimits& limits = {});
/// application/yaml: one document.
nlohmann::json read_yaml_body(std::string_view body, std::string_view what, const ReadLimits& limits = {});
/// In protobuf.cpp: application/vnd.kubernetes.protobuf, as kubectl sends it for `create configmap` and kin, as JSON.
/// Of the kinds that it creates, and of them the fields that it sends; anything else is refused. Throws ApiError 400,
/// 413.
nlohmann::json read_protobuf_body(std::string_view body, const ReadLimits& limits = {});

/// `299 - "unknown field \"spec.nope\""`
std::string warning_header(std::string_view warning);

}  // namespace knetsim::kube
