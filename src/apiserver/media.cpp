#include "media.h"

#include <algorithm>
#include <cctype>

#include "knetsim/kube/status.h"
#include "knetsim/sys/text.h"

namespace knetsim::apiserver {

namespace {

constexpr std::size_t kMostTypes = 32;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

template <typename Each>
void split(std::string_view text, char separator, Each each) {
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    each(trim(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool is_json(const MediaType& type) {
  return type.name == "application/json" || type.name == "application/*" || type.name == "*/*";
}

}  // namespace

std::string_view MediaType::parameter(std::string_view word) const {
  for (const auto& [key, value] : parameters)
    if (key == word) return value;
  return {};
}

MediaType media_type(std::string_view text) {
  MediaType type;
  split(text, ';', [&type](std::string_view part) {
    if (type.name.empty()) {
      type.name = lower(part);
      return;
    }
    const auto equals = std::min(part.find('='), part.size());
    type.parameters.emplace_back(lower(trim(part.substr(0, equals))),
                                 trim(part.substr(std::min(equals + 1, part.size()))));
  });
  return type;
}

std::vector<MediaType> media_types(std::string_view header) {
  std::vector<MediaType> types;
  split(header, ',', [&types](std::string_view part) {
    if (!part.empty() && types.size() < kMostTypes) types.push_back(media_type(part));
  });
  return types;
}

namespace {

/// What `take` makes of the first JSON that it can serve: it is given the type and its parameter "as". Plain JSON, or
/// no wish at all, is an empty T.
template <typename T, typename Take>
T first_that_can_be_served(std::string_view accept, Take take) {
  const auto types = media_types(accept);
  if (types.empty()) return {};
  for (const auto& type : types) {
    if (!is_json(type)) continue;
    const auto as = type.parameter("as");
    if (as.empty()) return {};
    if (auto taken = take(type, as)) return *std::move(taken);
  }
  throw kube::not_acceptable({"application/json"});
}

}  // namespace

Form accepted_form(std::string_view accept) {
  return first_that_can_be_served<Form>(accept, [](const MediaType& type, std::string_view as) -> std::optional<Form> {
    const std::string version(type.parameter("v"));
    if (type.parameter("g") != "meta.k8s.io" || (version != "v1" && version != "v1beta1")) return std::nullopt;
    if (as == "Table") return Form{Form::Kind::table, version};
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") return Form{Form::Kind::metadata, version};
    return std::nullopt;
  });
}

std::string accepted_discovery(std::string_view accept) {
  return first_that_can_be_served<std::string>(
      accept, [](const MediaType& type, std::string_view as) -> std::optional<std::string> {
        const std::string version(type.parameter("v"));
        if (as != "APIGroupDiscoveryList" || type.parameter("g") != "apidiscovery.k8s.io") return std::nullopt;
        return version == "v2" || version == "v2beta1" ? std::optional(version) : std::nullopt;
      });
}

}  // namespace knetsim::apiserver
