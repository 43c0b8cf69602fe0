#include "json_file.h"

#include <fmt/format.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/json.h"
#include "text.h"

namespace knetsim::report {

using Json = nlohmann::json;

namespace {

// A nightly report of 100,000 tests has some 50 MB.
constexpr std::size_t kLongestJson = 512UL << 20;
constexpr std::size_t kLongestComplaint = 1'000;

}  // namespace

Json read_json(const std::filesystem::path& file) {
  const auto text = read_file(file);
  constexpr const char* kRemedy = "whoever wrote it died while writing; run it again";
  if (text.empty())
    throw InputError(
        describe({.where = file.string(), .tried = "read JSON", .answer = "the file is empty", .remedy = kRemedy}));
  try {
    return parse_json(text, {.size = kLongestJson, .file = file.string()});
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}\n  remedy: {}", clean(error.what(), kLongestComplaint), kRemedy));
  }
}

JsonPlace::JsonPlace(const Json& value, std::string file, std::string pointer)
    : value_(&value), file_(std::move(file)), pointer_(std::move(pointer)) {}

void JsonPlace::refuse(const std::string& why, const std::string& remedy) const {
  throw InputError(describe({.where = file_ + (pointer_.empty() ? "" : "#" + pointer_),
                             .tried = "use this value",
                             .answer = why,
                             .remedy = remedy.empty() ? "see docs/results-schema.md" : remedy}));
}

JsonPlace JsonPlace::at(const char* member) const {
  if (!value_->is_object()) refuse("it isn't an object");
  const auto found = value_->find(member);
  if (found == value_->end()) refuse(fmt::format("the member \"{}\" is missing", member));
  return {*found, file_, pointer_ + "/" + member};
}

std::string JsonPlace::text() const {
  if (!value_->is_string()) refuse("it isn't a text");
  return value_->get<std::string>();
}

double JsonPlace::number() const {
  if (!value_->is_number()) refuse("it isn't a number");
  return value_->get<double>();
}

std::size_t JsonPlace::count() const {
  if (!value_->is_number_unsigned()) refuse("it isn't a count");
  return value_->get<std::size_t>();
}

std::vector<JsonPlace> JsonPlace::items() const {
  if (!value_->is_array()) refuse("it isn't a list");
  std::vector<JsonPlace> places;
  places.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i)
    places.emplace_back((*value_)[i], file_, fmt::format("{}/{}", pointer_, i));
  return places;
}

std::map<std::string, std::string> JsonPlace::texts() const {
  if (!value_->is_object()) refuse("it isn't an object");
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : value_->items())
    result[name] = JsonPlace(value, file_, pointer_ + "/" + name).text();
  return result;
}

void require_schema(const JsonPlace& root, std::string_view wanted) {
  const auto place = root.at("schema");
  if (place.text() != wanted)
    place.refuse(fmt::format("it is \"{}\", and this knetsim-report reads \"{}\"", clean(place.text(), 80), wanted),
                 "use the knetsim-report of the build that wrote it");
}

}  // namespace knetsim::report
