#include "knetsim/kube/access.h"

namespace knetsim::kube {

const nlohmann::json& null_json() {
  static const nlohmann::json null;
  return null;
}

const std::string& text_in(const nlohmann::json& value) {
  static const std::string empty;
  return value.is_string() ? value.get_ref<const std::string&>() : empty;
}

std::int64_t number_in(const nlohmann::json& value) {
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

bool bool_in(const nlohmann::json& value) { return value.is_boolean() && value.get<bool>(); }

const nlohmann::json& list_in(const nlohmann::json& value) {
  static const auto none = nlohmann::json::array();
  return value.is_array() ? value : none;
}

}  // namespace knetsim::kube
