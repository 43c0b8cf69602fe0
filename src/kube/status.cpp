#include "knetsim/kube/status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "knetsim/kube/kinds.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

/// As Go's %q and %v put a value into a complaint.
std::string shown(const json& value) {
  if (value.is_array()) {
    if (value.empty()) return "[]string{}";
    std::string all;
    for (const auto& element : value) all += (all.empty() ? "" : ", ") + shown(element);
    return "[]string{" + all + "}";
  }
  if (value.is_null()) return "null";
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json details_of(const Kind& kind, std::string_view name, std::string_view shown_kind) {
  json details{{"kind", shown_kind}};
  if (!name.empty()) details["name"] = name;
  if (!kind.group.empty()) details["group"] = kind.group;
  return details;
}

std::string qualified(std::string_view what, const Kind& kind) {
  return kind.group.empty() ? std::string(what) : fmt::format("{}.{}", what, kind.group);
}

std::string resource_and_name(const Kind& kind, std::string_view name) {
  return fmt::format("{} \"{}\"", qualified(kind.plural, kind), name);
}

}  // namespace

void FieldErrors::add(FieldError error) {
  constexpr std::size_t kMost = 100;
  if (errors_.size() < kMost) errors_.push_back(std::move(error));
}

void FieldErrors::invalid(std::string field, const json& value, std::string_view detail) {
  invalid_shown(std::move(field), shown(value), detail);
}

void FieldErrors::invalid_shown(std::string field, std::string_view shown, std::string_view detail) {
  add({"FieldValueInvalid", std::move(field),
       fmt::format("Invalid value: {}{}{}", shown, detail.empty() ? "" : ": ", detail)});
}

void FieldErrors::required(std::string field, std::string_view detail) {
  add({"FieldValueRequired", std::move(field), fmt::format("Required value{}{}", detail.empty() ? "" : ": ", detail)});
}

void FieldErrors::forbidden(std::string field, std::string_view detail) {
  add({"FieldValueForbidden", std::move(field), fmt::format("Forbidden: {}", detail)});
}

void FieldErrors::duplicate(std::string field, const json& value) {
  add({"FieldValueDuplicate", std::move(field), "Duplicate value: " + shown(value)});
}

void FieldErrors::duplicate_shown(std::string field, std::string_view shown) {
  add({"FieldValueDuplicate", std::move(field), fmt::format("Duplicate value: {}", shown)});
}

void FieldErrors::not_found(std::string field, const json& value) {
  add({"FieldValueNotFound", std::move(field), "Not found: " + shown(value)});
}

void FieldErrors::not_supported(std::string field, const json& value, const std::vector<std::string_view>& supported) {
  std::string choices;
  for (const auto& choice : supported) choices += fmt::format("{}\"{}\"", choices.empty() ? "" : ", ", choice);
  add({"FieldValueNotSupported", std::move(field),
       fmt::format("Unsupported value: {}: supported values: {}", shown(value), choices)});
}

void FieldErrors::too_long(std::string field, std::size_t longest) {
  add({"FieldValueTooLong", std::move(field), fmt::format("Too long: may not be more than {} bytes", longest)});
}

void FieldErrors::too_many(std::string field, std::size_t count, std::size_t most) {
  add({"FieldValueTooMany", std::move(field),
       fmt::format("Too many: {}: must have at most {} item{}", count, most, most == 1 ? "" : "s")});
}

ApiError::ApiError(int code, std::string_view reason, const std::string& message, json details)
    : Error(message), code_(code), reason_(reason), details_(std::move(details)) {}

json ApiError::status() const {
  json status{{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", json::object()},
              {"status", "Failure"}, {"message", what()},  {"code", code_}};
  if (!reason_.empty()) status["reason"] = reason_;
  if (!details_.is_null()) status["details"] = details_;
  return status;
}

json success_of_deletion(const Kind& kind, std::string_view name, std::string_view uid) {
  auto details = details_of(kind, name, kind.plural);
  details["uid"] = uid;
  return {{"kind", "Status"},
          {"apiVersion", "v1"},
          {"metadata", json::object()},
          {"status", "Success"},
          {"details", details}};
}

ApiError bad_request(const std::string& message) { return {400, "BadRequest", message}; }

ApiError cannot_be_handled(const Kind& kind, std::string_view problem) {
  return bad_request(
      fmt::format("{0} in version \"{1}\" cannot be handled as a {0}: {2}", kind.kind, kind.version, problem));
}

ApiError unauthorized() { return {401, "Unauthorized", "Unauthorized"}; }

ApiError forbidden(const Kind& kind, std::string_view name, std::string_view why) {
  return {403, "Forbidden", fmt::format("{} is forbidden: {}", resource_and_name(kind, name), why),
          details_of(kind, name, kind.plural)};
}

ApiError namespace_terminating(const Kind& kind, std::string_view name, std::string_view ns) {
  auto details = details_of(kind, name, kind.plural);
  details["causes"] = json::array({{{"reason", "NamespaceTerminating"},
                                    {"message", fmt::format("namespace {} is being terminated", ns)},
                                    {"field", "metadata.namespace"}}});
  return {403, "Forbidden",
          fmt::format("{} is forbidden: unable to create new content in namespace {} because it is being terminated",
                      resource_and_name(kind, name), ns),
          std::move(details)};
}

ApiError not_found(const Kind& kind, std::string_view name) {
  return {404, "NotFound", resource_and_name(kind, name) + " not found", details_of(kind, name, kind.plural)};
}

ApiError resource_not_found() {
  return {404, "NotFound", "the server could not find the requested resource", json::object()};
}

ApiError method_not_allowed() {
  return {405, "MethodNotAllowed", "the server does not allow this method on the requested resource", json::object()};
}

ApiError not_acceptable(const std::vector<std::string>& accepted) {
  return {406, "NotAcceptable",
          fmt::format("only the following media types are accepted: {}", fmt::join(accepted, ", "))};
}

ApiError unsupported_body(const std::vector<std::string>& accepted) {
  return {415, "UnsupportedMediaType",
          fmt::format("the body of the request was in an unknown format - accepted media types include: {}",
                      fmt::join(accepted, ", "))};
}

ApiError unsupported_patch_type() {
  return {415, "UnsupportedMediaType", "415: Unsupported Media Type", json::object()};
}

ApiError already_exists(const Kind& kind, std::string_view name) {
  return {409, "AlreadyExists", resource_and_name(kind, name) + " already exists", details_of(kind, name, kind.plural)};
}

ApiError conflict(const Kind& kind, std::string_view name, std::string_view why) {
  return {409, "Conflict", fmt::format("Operation cannot be fulfilled on {}: {}", resource_and_name(kind, name), why),
          details_of(kind, name, kind.plural)};
}

ApiError modified(const Kind& kind, std::string_view name) {
  return conflict(kind, name,
                  "the object has been modified; please apply your changes to the latest version and try again");
}

ApiError uid_precondition(const Kind& kind, std::string_view name, std::string_view wanted, std::string_view found) {
  return {409, "Conflict",
          fmt::format("Operation cannot be fulfilled on {} \"{}\": the UID in the precondition ({}) does not match the "
                      "UID in record ({}). The object might have been deleted and then recreated",
                      qualified(kind.kind, kind), name, wanted, found),
          details_of(kind, name, kind.kind)};
}

ApiError uid_mismatch(const Kind& kind, std::string_view ns, std::string_view name, std::string_view wanted,
                      std::string_view found) {
  return conflict(kind, name,
                  fmt::format("StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: "
                              "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                              kind.key(ns, name), wanted, found));
}

ApiError expired(const std::string& message) { return {410, "Expired", message}; }

ApiError too_large(const std::string& message) { return {413, "RequestEntityTooLarge", message}; }

ApiError invalid(const Kind& kind, std::string_view name, const FieldErrors& errors) {
  return invalid(kind, name, errors.all());
}

ApiError invalid(const Kind& kind, std::string_view name, std::vector<FieldError> errors) {
  auto details = details_of(kind, name, kind.kind);
  std::string all;
  for (const auto& [reason, field, message] : errors) {
    details["causes"].push_back({{"reason", reason}, {"message", message}, {"field", field}});
    all += fmt::format("{}{}: {}", all.empty() ? "" : ", ", field, message);
  }
  if (errors.size() > 1) all = "[" + all + "]";
  return {422, "Invalid", fmt::format("{} \"{}\" is invalid: {}", qualified(kind.kind, kind), name, all),
          std::move(details)};
}

ApiError too_many_requests(const std::string& message, int retry_after_seconds) {
  return {429, "TooManyRequests", message, {{"retryAfterSeconds", retry_after_seconds}}};
}

ApiError internal_error(const std::string& message) {
  return {
      500, "InternalError", "Internal error occurred: " + message, {{"causes", json::array({{{"message", message}}})}}};
}

ApiError plain_failure(int code, const std::string& message) { return {code, "", message}; }

ApiError unavailable(const std::string& message) { return {503, "ServiceUnavailable", message}; }

ApiError resource_version_too_large(std::uint64_t wanted, std::uint64_t current) {
  const auto message = fmt::format("Too large resource version: {}, current: {}", wanted, current);
  return {
      504,
      "Timeout",
      "Timeout: " + message,
      {{"causes", json::array({{{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}}})},
       {"retryAfterSeconds", 1}}};
}

}  // namespace knetsim::kube
