#include "job_indexes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "knetsim/kube/access.h"

namespace knetsim::controllers {

using nlohmann::json;

namespace {

constexpr auto kIndex = "batch.kubernetes.io/job-completion-index";
constexpr auto kIndexVariable = "JOB_COMPLETION_INDEX";

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 0 ? std::optional(number) : std::nullopt;
}

}  // namespace

Indexes indexes_in(std::string_view text, std::int64_t end) {
  Indexes indexes;
  std::int64_t next = 0;  // they ascend: the same range a thousand times costs no more than once
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto part = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const auto hyphen = part.find('-');
    const auto first = number_of(part.substr(0, hyphen));
    const auto last = hyphen == std::string_view::npos ? first : number_of(part.substr(hyphen + 1));
    if (!first || !last || *last < *first) continue;
    for (next = std::max(next, *first); next <= *last && next < end; ++next) indexes.insert(next);
  }
  return indexes;
}

std::string indexes_text(const Indexes& indexes) {
  std::string text;
  for (auto first = indexes.begin(); first != indexes.end();) {
    auto last = first;
    while (std::next(last) != indexes.end() && *std::next(last) == *last + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(*first);
    if (last != first) text += fmt::format("{}{}", *last == *first + 1 ? ',' : '-', *last);
    first = std::next(last);
  }
  return text;
}

std::optional<std::int64_t> index_of(const json& pod) {
  return number_of(kube::text_at(pod, "metadata", "annotations", kIndex));
}

void give_index(json& pod, const std::string& job, std::int64_t index, const std::string& suffix) {
  const auto number = std::to_string(index);
  auto& metadata = pod["metadata"];
  metadata["generateName"] = fmt::format("{}-{}-", job, number);
  metadata["name"] = fmt::format("{}-{}-{}", job, number, suffix);
  metadata["annotations"][kIndex] = number;
  metadata["labels"][kIndex] = number;
  pod["spec"]["hostname"] = fmt::format("{}-{}", job, number);
  for (const auto* const list : {"initContainers", "containers"}) {
    if (!pod["spec"].contains(list)) continue;
    for (auto& container : pod["spec"][list]) {
      const auto& variables = kube::list_at(container, "env");
      if (std::ranges::any_of(variables, [](const json& one) { return kube::text_at(one, "name") == kIndexVariable; }))
        continue;
      container["env"].push_back(
          {{"name", kIndexVariable},
           {"valueFrom", {{"fieldRef", {{"fieldPath", fmt::format("metadata.labels['{}']", kIndex)}}}}}});
    }
  }
}

}  // namespace knetsim::controllers
