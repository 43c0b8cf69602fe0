#pragma once

#include <string_view>

namespace knetsim::kube {

// The types of Kubernetes' API, in our own words: in schema_*.cpp. A line that isn't indented begins a type:
// "ServicePort: One port.", or "LabelSelector atomic: ..." for one that has one owner in server-side apply. The
// indented ones are its fields: name, type, flags, and after "--" what it is for.
//   types   string bool int32 int64 number quantity IntOrString time microTime bytes any, or another type's name; with
//           [] in front a list, with map[string] in front a map
//   flags   *           an empty value says something else than none (a pointer in Go)
//           always      shown empty where it isn't given (no omitempty in Go, or a struct)
//           required
//           merge=K     a list whose elements strategic merge patches tell apart by K
//           set         a list of scalars that patches merge as a set
//           keys=K,K    the same for server-side apply
//           default=V   the value of a key of such a list where it isn't given
//           atomic      one owner for the whole value in server-side apply
//           retain      strategic merge patches may carry $retainKeys
extern const std::string_view schema_text_of_meta;
extern const std::string_view schema_text_of_pod;
extern const std::string_view schema_text_of_volumes;
extern const std::string_view schema_text_of_core;
extern const std::string_view schema_text_of_apps;
extern const std::string_view schema_text_of_batch;
extern const std::string_view schema_text_of_networking;

}  // namespace knetsim::kube
