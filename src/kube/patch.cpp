#include "knetsim/kube/patch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "knetsim/kube/access.h"
#include "strategic_merge.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kMostOperations = 10'000;  // upstream's
constexpr std::size_t kMostCopied = 16UL << 20;  // upstream's are 3 MiB of text; here what they take in memory
constexpr std::size_t kMostShifted = 32UL << 20;
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
  constexpr std::size_t kOfEach = 64;  // a node of a map, a string
  Extent extent{.bytes = kOfEach, .depth = 0};
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

/// What the operations of one patch have cost by now.
struct Effort {
  std::size_t copied = 0;   ///< as extent_of() counts
  std::size_t shifted = 0;  ///< elements of lists that stood behind an insertion or a removal, at most
};

/// As many elements as the list has that this place is in; 0 if it is in none.
std::size_t neighbours_of(const json& object, const std::string& place) {
  const json::json_pointer pointer(place);
  if (pointer.empty() || !object.contains(pointer.parent_pointer())) return 0;
  const auto& around = object.at(pointer.parent_pointer());
  return around.is_array() ? around.size() : 0;
}

/// What an operation puts somewhere must not make the object grow without end, nor must all of them take long.
void check_effort(const json& object, const json& operation, Effort& effort) {
  const auto& op = text_at(operation, "op");
  if (op == "test") return;
  const auto& path = text_at(operation, "path");
  const bool takes = op == "copy" || op == "move";
  if (op != "replace") effort.shifted += neighbours_of(object, path);
  if (op == "move") effort.shifted += neighbours_of(object, text_at(operation, "from"));
  Extent extent;
  if (takes) extent = extent_of(object.at(json::json_pointer(text_at(operation, "from"))));
  if (op == "add" || op == "replace") extent = extent_of(member(operation, "value"));
  if (takes) effort.copied += extent.bytes;
  if (effort.copied > kMostCopied || effort.shifted > kMostShifted || extent.depth + levels_of(path) > kDeepest)
    does_not_fit();
}

json with_operations(json object, const json& operations) {
  if (!operations.is_array()) {
    throw bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  }
  if (operations.size() > kMostOperations) {
    throw too_large(fmt::format("The allowed maximum operations in a JSON patch is {}, got {}", kMostOperations,
                                operations.size()));
  }
  Effort effort;
  try {
    for (const auto& operation : operations) {
      check_effort(object, operation, effort);
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
