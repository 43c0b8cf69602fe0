#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::kube {

struct Kind;

/// One thing that is wrong with a field. Source: k8s.io/apimachinery/pkg/util/validation/field.
struct FieldError {
  std::string reason;   ///< FieldValueInvalid, FieldValueRequired, FieldValueForbidden, FieldValueDuplicate,
                        ///< FieldValueNotSupported ...
  std::string field;    ///< "spec.ports[0].name"
  std::string message;  ///< "Invalid value: 70000: must be between 1 and 65535, inclusive"
};

/// Complaints about one object, in the order in which they were found.
class FieldErrors {
 public:
  /// `value` is shown as Go would: a string quoted, a number plain.
  void invalid(std::string field, const nlohmann::json& value, std::string_view detail);
  /// The value as it is to stand there: `[]string{"10.96.9.9"}`.
  void invalid_shown(std::string field, std::string_view shown, std::string_view detail);
  void required(std::string field, std::string_view detail = {});
  void forbidden(std::string field, std::string_view detail);
  void not_found(std::string field, const nlohmann::json& value);
  void duplicate(std::string field, const nlohmann::json& value);
  void not_supported(std::string field, const nlohmann::json& value, const std::vector<std::string_view>& supported);
  /// Of a value that is shown as it stands.
  void duplicate_shown(std::string field, std::string_view shown);
  void too_long(std::string field, std::size_t longest);
  void too_many(std::string field, std::size_t count, std::size_t most);

  bool empty() const noexcept { return errors_.empty(); }
  const std::vector<FieldError>& all() const noexcept { return errors_; }

 private:
  void add(FieldError error);  // the first hundred; a body can hold ten thousands of mistakes
  std::vector<FieldError> errors_;
};

/// A refusal, with the Status that the client is answered. what() is the Status' message.
class ApiError : public Error {
 public:
  /// `details` may be null: the answer has none then.
  ApiError(int code, std::string_view reason, const std::string& message, nlohmann::json details = {});

  int code() const noexcept { return code_; }  ///< also the HTTP status
  const std::string& reason() const noexcept { return reason_; }
  nlohmann::json status() const;  ///< the body

 private:
  int code_;
  std::string reason_;
  nlohmann::json details_;
};

/// {kind Status, status Success}, of what was deleted.
nlohmann::json success_of_deletion(const Kind& kind, std::string_view name, std::string_view uid);

// 400
ApiError bad_request(const std::string& message);
/// `Service in version "v1" cannot be handled as a Service: <problem>`
ApiError cannot_be_handled(const Kind& kind, std::string_view problem);
// 401, 403
ApiError unauthorized();
ApiError forbidden(const Kind& kind, std::string_view name, std::string_view why);
ApiError namespace_terminating(const Kind& kind, std::string_view name, std::string_view ns);
// 404
ApiError not_found(const Kind& kind, std::string_view name);
ApiError resource_not_found();
// 405, 406, 415
ApiError method_not_allowed();
ApiError not_acceptable(const std::vector<std::string>& accepted);
ApiError unsupported_body(const std::vector<std::string>& accepted);
ApiError unsupported_patch_type();
// 409
ApiError already_exists(const Kind& kind, std::string_view name);
ApiError modified(const Kind& kind, std::string_view name);  ///< another resourceVersion
ApiError conflict(const Kind& kind, std::string_view name, std::string_view why);
ApiError uid_precondition(const Kind& kind, std::string_view name, std::string_view wanted, std::string_view found);
/// A PUT that carries another uid.
ApiError uid_mismatch(const Kind& kind, std::string_view ns, std::string_view name, std::string_view wanted,
                      std::string_view found);
// 410
ApiError expired(const std::string& message);
// 413, 422
ApiError too_large(const std::string& message);
ApiError invalid(const Kind& kind, std::string_view name, const FieldErrors& errors);
ApiError invalid(const Kind& kind, std::string_view name, std::vector<FieldError> errors);
// 429, 500, 503, 504
ApiError too_many_requests(const std::string& message, int retry_after_seconds);
ApiError internal_error(const std::string& message);
ApiError plain_failure(int code, const std::string& message);  ///< without a reason
ApiError unavailable(const std::string& message);
ApiError resource_version_too_large(std::uint64_t wanted, std::uint64_t current);

}  // namespace knetsim::kube
