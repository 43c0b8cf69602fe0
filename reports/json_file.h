#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::report {

/// A whole JSON file; throws InputError with the place at which it ceases to be one.
nlohmann::json read_json(const std::filesystem::path& file);

/// A member of an object, of the wanted kind; throws InputError that names the file and the JSON pointer.
class JsonPlace {
 public:
  JsonPlace(const nlohmann::json& value, std::string file, std::string pointer = "");

  JsonPlace at(const char* member) const;
  bool has(const char* member) const { return value_->is_object() && value_->contains(member); }
  std::string text() const;
  double number() const;
  std::size_t count() const;
  std::vector<JsonPlace> items() const;
  std::map<std::string, std::string> texts() const;  ///< an object of texts
  std::string text_or_empty(const char* member) const { return has(member) ? at(member).text() : std::string{}; }
  double number_or_zero(const char* member) const { return has(member) ? at(member).number() : 0; }

  const nlohmann::json& value() const noexcept { return *value_; }
  /// An error about this place.
  [[noreturn]] void refuse(const std::string& why, const std::string& remedy = {}) const;

 private:
  const nlohmann::json* value_;
  std::string file_;
  std::string pointer_;
};

/// Throws unless the member `schema` is `wanted`.
void require_schema(const JsonPlace& root, std::string_view wanted);

}  // namespace knetsim::report
