#include "change.h"

#include <fmt/format.h>

namespace knetsim::apiserver {

using nlohmann::json;

VersionPtr Change::parting() const {
  if (parting_) return parting_;
  if (!before_ || before_->text.empty()) return before_;
  auto object = json::parse(before_->text);
  auto parting = version_of(object, revision_);
  if (news_) parting_ = parting;
  return parting;
}

JsonPtr Change::object(const kube::Kind& kind, const VersionPtr& version, JsonPtr& kept) const {
  if (kept) return kept;
  if (!version || version->text.empty()) return nullptr;
  auto parsed = std::make_shared<const json>(object_of(kind, *version));
  if (news_) kept = parsed;
  return parsed;
}

TextPtr Change::line(const kube::Kind& kind, std::string_view type) const {
  if (line_ && line_type_ == type) return line_;
  const auto version = type == "DELETED" ? parting() : after_;
  auto line = std::make_shared<const std::string>(event_line(type, text_of(kind, *version)));
  if (news_) {
    line_ = line;
    line_type_ = type;
  }
  return line;
}

void Change::grow_old() const {
  news_ = false;
  parsed_before_.reset();
  parsed_after_.reset();
  parting_.reset();
  line_.reset();
}

std::string event_line(std::string_view type, std::string_view object) {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, object);
}

}  // namespace knetsim::apiserver
