#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "knetsim/sys/json_place.h"
#include "schema.h"

namespace knetsim::skupper {

/// The attributes of one entity, [type, {attributes}], checked against its rule, typed, and able to complain about
/// themselves.
class Values {
 public:
  /// The entity's document must outlive it. Throws InputError as parse_config does.
  explicit Values(const JsonPlace& entity);

  const std::string& type() const noexcept { return type_; }
  /// "a.json:12: /3"
  std::string place() const { return entity_.place(); }
  bool has(std::string_view name) const { return values_.contains(name); }
  std::string text(std::string_view name, std::string_view otherwise = {}) const;
  bool boolean(std::string_view name, bool otherwise) const;
  std::int64_t number(std::string_view name, std::int64_t otherwise) const;

  const std::vector<std::string>& without_effect() const noexcept { return without_effect_; }

  /// skrouterd's name for an entity that was given none, "tcpListener/0.0.0.0:1028"; with a number after it if that is
  /// taken. For those of a kind that has a name.
  void name_unless_named(std::set<std::string>& taken);

  /// About an attribute that is there, or that should be.
  [[noreturn]] void complain(std::string_view attribute, std::string_view problem, std::string_view remedy) const;

 private:
  using Value = std::variant<std::string, std::int64_t, bool>;

  const EntityRule& rule() const;
  Value convert(const AttributeRule& rule, const nlohmann::json& value) const;
  Value to_number(const AttributeRule& rule, const nlohmann::json& value) const;
  std::string subject() const;

  JsonPlace entity_;
  std::string type_;
  std::map<std::string, JsonPlace, std::less<>> written_;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string> without_effect_;
};

}  // namespace knetsim::skupper
