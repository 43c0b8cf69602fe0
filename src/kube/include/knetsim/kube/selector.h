#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/kube/kinds.h"

namespace knetsim::kube {

/// What labels must be like.
class LabelSelector {
 public:
  enum class Operator { in, not_in, exists, absent, greater, less };
  struct Requirement {
    std::string key;
    Operator op = Operator::exists;
    std::vector<std::string> values;
  };

  /// Everything.
  LabelSelector() = default;
  /// "a=b,c!=d,e in (f,g),h,!i". Throws ApiError 400.
  static LabelSelector parse(std::string_view text);
  /// Of a LabelSelector object: matchLabels and matchExpressions. One that isn't there (null) matches nothing, an empty
  /// one everything.
  static LabelSelector of(const nlohmann::json& selector);
  /// Of a plain map, as a Service has it.
  static LabelSelector of_map(const nlohmann::json& labels);

  /// `object` has metadata.labels, or hasn't.
  bool matches(const nlohmann::json& object) const;
  bool matches_labels(const nlohmann::json& labels) const;
  bool empty() const noexcept { return !nothing_ && requirements_.empty(); }
  const std::vector<Requirement>& requirements() const noexcept { return requirements_; }

 private:
  bool nothing_ = false;
  std::vector<Requirement> requirements_;
};

/// What fields must be like: "status.phase!=Failed,spec.nodeName=w1".
class FieldSelector {
 public:
  FieldSelector() = default;
  /// Throws ApiError 400: no selector, or of a field that the kind can't be selected by.
  static FieldSelector parse(const Kind& kind, std::string_view text);

  bool matches(const nlohmann::json& object) const;
  bool empty() const noexcept { return requirements_.empty(); }
  /// The value that the field must have, if it must: "metadata.name" narrows a list to one key.
  std::optional<std::string> wants(std::string_view field) const;

 private:
  struct Requirement {
    SelectableField field;
    bool equal = true;
    std::string value;
  };
  std::vector<Requirement> requirements_;
};

/// A LabelSelector object as text, as Tables and Scales show it: "app=web,tier in (a,b)".
std::string selector_text(const nlohmann::json& selector);

}  // namespace knetsim::kube
