#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knetsim::apiserver {

/// "application/json;as=Table;v=v1;g=meta.k8s.io"
struct MediaType {
  std::string name;  ///< in lower case
  std::vector<std::pair<std::string, std::string>> parameters;

  std::string_view parameter(std::string_view word) const;
};

/// The types of an Accept header, in its order (nobody sends q to a Kubernetes server).
std::vector<MediaType> media_types(std::string_view header);
MediaType media_type(std::string_view text);

/// How objects are to be answered with.
struct Form {
  enum class Kind { object, table, metadata };
  Kind kind = Kind::object;
  std::string version = "v1";  ///< of meta.k8s.io
};

/// The first that the client accepts and we can. Throws ApiError 406.
Form accepted_form(std::string_view accept);

/// Discovery's: "" for plain JSON, "v2" or "v2beta1" for aggregated. Throws ApiError 406.
std::string accepted_discovery(std::string_view accept);

}  // namespace knetsim::apiserver
