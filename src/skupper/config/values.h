#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "document.h"
#include "schema.h"

namespace knetsim::skupper {

/// The attributes of one entity, checked against its rule, typed, and able to complain about themselves.
class Values {
 public:
  /// `position` counts the entities of the file from 1. Throws InputError as parse_config does.
  Values(const Entity& entity, std::size_t position, const std::string& file);

  const std::string& type() const noexcept { return entity_.type; }
  std::size_t line() const noexcept { return entity_.line; }
  bool has(std::string_view name) const { return values_.contains(name); }
  std::string text(std::string_view name, std::string_view otherwise = {}) const;
  bool boolean(std::string_view name, bool otherwise) const;
  std::int64_t number(std::string_view name, std::int64_t otherwise) const;

  const std::vector<std::string>& without_effect() const noexcept { return without_effect_; }

  /// skrouterd's name for an entity that was given none, "tcpListener/0.0.0.0:1028"; with a number after it if that is
  /// taken. For those of a kind that has a name.
  void name_unless_named(std::set<std::string>& taken);

  /// About an attribute that is there, or about the entity if it isn't.
  [[noreturn]] void complain(std::string_view attribute, std::string_view problem, std::string_view remedy) const;

 private:
  using Value = std::variant<std::string, std::int64_t, bool>;

  const EntityRule& rule() const;
  Value convert(const AttributeRule& rule, const Attribute& attribute) const;
  Value to_number(const AttributeRule& rule, const nlohmann::json& value) const;
  std::string subject() const;

  const Entity& entity_;
  std::size_t position_;
  const std::string& file_;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string> without_effect_;
};

}  // namespace knetsim::skupper
