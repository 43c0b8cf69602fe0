#include "knetsim/kube/patch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "knetsim/kube/access.h"
#include "strategic_merge.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

// Upstream's limits.
constexpr std::size_t kMostOperations = 10'000;
constexpr std::size_t kMostCopied = 3UL << 20;
constexpr std::size_t kDeepest = 200;

[[noreturn]] void does_not_fit() {
  throw ApiError(422, "Invalid", "the server rejected our request due to an error in our request", json::object());
}

struct Extent {
  std::size_t bytes = 0;
  std::size_t depth = 0;
};

/// Roughly what a value takes, and how deep it goes.
Extent extent_of(const json& value) {
  Extent extent{.bytes = 8, .depth = 0};
  if (value.is_string()) extent.bytes += text_in(value).size();
  if (!value.is_structured()) return extent;
  for (auto item = value.begin(); item != value.end(); ++item) {
    const auto inner = extent_of(*item);
    extent.bytes += inner.bytes + (value.is_object() ? item.key().size() : 0);
    extent.depth = std::max(extent.depth, inner.depth + 1);
  }
  return extent;
}

std::size_t levels_of(const std::string& pointer) { return static_cast<std::size_t>(std::ranges::count(pointer, '/')); }

/// What an operation puts somewhere must not make the object grow without end.
void check_growth(const json& object, const json& operation, std::size_t& copied) {
  const auto& op = text_at(operation, "op");
  const bool copy = op == "copy";
  if (!copy && op != "move" && op != "add" && op != "replace") return;
  const auto& from = member(operation, "value");
  const auto extent =
      copy || op == "move" ? extent_of(object.at(json::json_pointer(text_at(operation, "from")))) : extent_of(from);
  if (copy) copied += extent.bytes;
  if (copied > kMostCopied || extent.depth + levels_of(text_at(operation, "path")) > kDeepest) does_not_fit();
}

json with_operations(json object, const json& operations) {
  if (!operations.is_array()) {
    throw bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  }
  if (operations.size() > kMostOperations) {
    throw too_large(fmt::format("The allowed maximum operations in a JSON patch is {}, got {}", kMostOperations,
                                operations.size()));
  }
  std::size_t copied = 0;
  try {
    for (const auto& operation : operations) {
      check_growth(object, operation, copied);
      object.patch_inplace(json::array({operation}));
    }
  } catch (const json::exception&) {
    does_not_fit();
  }
  return object;
}

}  // namespace

json patched(const Kind& kind, PatchType type, const json& object, const json& patch) {
  json result;
  switch (type) {
    case PatchType::json:
      result = with_operations(object, patch);
      break;
    case PatchType::merge:
      if (!patch.is_object()) throw bad_request("error decoding patch: a merge patch is an object");
      result = object;
      result.merge_patch(patch);
      break;
    case PatchType::strategic:
      if (!patch.is_object()) throw bad_request("error decoding patch: a strategic merge patch is an object");
      result = strategic_merge(kind.schema(), object, patch);
      break;
  }
  if (!result.is_object()) does_not_fit();
  return result;
}

}  // namespace knetsim::kube
