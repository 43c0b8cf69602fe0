#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/kube/access.h"
#include "knetsim/kube/allocate.h"
#include "knetsim/kube/field_set.h"
#include "knetsim/kube/managed_fields.h"
#include "knetsim/kube/patch.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"

namespace knetsim::kube::test {

using nlohmann::json;

inline constexpr Time kStart{std::chrono::seconds{1'800'000'000}};

/// An object, and those who write it, one second after the other.
class Written {
 public:
  explicit Written(std::string_view plural, std::string_view group = {}) : kind_(&must_be(plural, group)) {}

  const json& object() const noexcept { return object_; }
  void set(json object) { object_ = std::move(object); }
  void set_version(const json& version) { object_["metadata"]["resourceVersion"] = version; }

  void update(const std::string& manager, const json& sent) {
    const auto author = author_of(manager);
    auto read = read_object(*kind_, sent, FieldValidation::strict).object;
    object_ =
        object_.is_null() ? created(std::move(read), author) : prepare_update(*kind_, object_, std::move(read), author);
  }
  void patch(const std::string& manager, PatchType type, const json& patch) {
    update(manager, patched(*kind_, type, object_, patch));
  }
  void apply(const std::string& manager, const json& config, bool force = false) {
    const auto made = server_side_apply(*kind_, object_, config, author_of(manager), force);
    auto read = read_object(*kind_, made, FieldValidation::ignore).object;
    object_ = object_.is_null() ? created(std::move(read), {}) : prepare_update(*kind_, object_, std::move(read));
  }
  void update_status(const std::string& manager, const json& status) {
    auto sent = object_;
    sent["status"] = status;
    auto author = author_of(manager);
    author.subresource = "status";
    object_ = prepare_status_update(*kind_, object_, read_object(*kind_, sent, FieldValidation::strict).object, author);
  }
  void scale(const std::string& manager, int replicas) {
    auto scale = scale_of(*kind_, object_);
    scale["spec"]["replicas"] = replicas;
    auto author = author_of(manager);
    author.subresource = "scale";
    object_ = with_scale(*kind_, object_, scale, author);
  }

  /// "kubectl Apply: .data.a .data.b"
  std::vector<std::string> owners() const {
    std::vector<std::string> all;
    for (const auto& entry : list_at(object_, "metadata", "managedFields")) {
      auto line = fmt::format("{} {}{}:", text_at(entry, "manager"), text_at(entry, "operation"),
                              entry.contains("subresource") ? " " + text_at(entry, "subresource") : "");
      for (const auto& path : FieldSet::parse(entry["fieldsV1"]).paths()) line += " " + path;
      all.push_back(line);
    }
    return all;
  }

 private:
  Author author_of(const std::string& manager) {
    return {.manager = manager, .subresource = {}, .now = now_ += std::chrono::seconds(1)};
  }
  json created(json sent, std::optional<Author> author) const {
    const auto give = [&](json& object) {
      const Taken none{.address = [](const auto&) { return false; },
                       .node_port = [](auto, const auto&) { return false; }};
      if (kind_->kind == "Service") allocate(object, nullptr, {}, none, [] { return std::uint64_t{7}; });
    };
    return prepare_create(*kind_, std::move(sent),
                          {.ns = kind_->namespaced ? "shop" : "",
                           .name = {},
                           .uid = "u",
                           .suffix = "abcde",
                           .now = now_,
                           .author = std::move(author)},
                          give);
  }

  const Kind* kind_;
  json object_;
  Time now_ = kStart;
};

inline json config_map(const json& data, const json& more = json::object()) {
  json metadata{{"name", "cfg"}};
  metadata.update(more);
  return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", metadata}, {"data", data}};
}

class Luck {
 public:
  std::uint64_t below(std::uint64_t end) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state_ >> 33U) % end;
  }

 private:
  std::uint64_t state_ = 42;
};

}  // namespace knetsim::kube::test
