#include "yaml_reader.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <istream>
#include <map>
#include <streambuf>
#include <utility>
#include <vector>

#include "knetsim/sys/text.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

/// A text that a stream reads without a copy of it.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    auto* const begin = const_cast<char*>(text.data());  // only ever read
    setg(begin, begin, begin + text.size());
  }
};

std::string place_of(const YAML::Mark& mark) {
  return fmt::format("line {}, column {}", mark.line + 1, mark.column + 1);
}

[[noreturn]] void refuse(const YAML::Mark& mark, std::string_view problem) {
  throw InputError(fmt::format("{}: {}", place_of(mark), problem));
}

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

/// 12, -3, 0x1f, 0o17, 0b101, 017 and, with underscores, 1_000, as Go's strconv.ParseInt takes them.
std::optional<json> yaml_integer(std::string_view plain) {
  std::string digits;
  std::ranges::copy_if(plain, std::back_inserter(digits), [](char c) { return c != '_'; });
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.erase(0, 1);
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0' && std::string_view("xob").find(digits[1]) != std::string_view::npos) {
    base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : 2;
    digits.erase(0, 2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
    digits.erase(0, 1);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (!negative) return json(value);
  if (value > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return json(-static_cast<std::int64_t>(value));
}

std::optional<json> float_of(std::string_view plain) {
  if (plain.find_first_not_of("+-.0123456789eE_") != std::string_view::npos ||
      plain.find_first_of("0123456789") == std::string_view::npos)
    return std::nullopt;
  std::string digits;
  std::ranges::copy_if(plain, std::back_inserter(digits), [](char c) { return c != '_'; });
  if (digits.starts_with('+')) digits.erase(0, 1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size() ? std::optional(json(value)) : std::nullopt;
}

/// A scalar without quotes and tag, as Go's YAML resolves it.
json resolved(const std::string& plain) {
  if (is_any_of(plain, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (is_any_of(plain, {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) return true;
  if (is_any_of(plain, {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})) return false;
  if (const auto integer = yaml_integer(plain)) return *integer;
  if (const auto number = float_of(plain)) return *number;
  return plain;
}

/// The key that a scalar becomes: keys of JSON are strings.
std::string key_text(const json& scalar, const std::string& plain) {
  if (scalar.is_boolean()) return scalar.get<bool>() ? "true" : "false";
  if (scalar.is_number_integer()) return scalar.dump();
  return scalar.is_null() ? "null" : plain;
}

class DocumentBuilder : public YAML::EventHandler {
 public:
  /// With a pointer, only the line of what it names is of interest.
  explicit DocumentBuilder(const ManifestLimits& limits, const std::string* wanted = nullptr, int before = -1)
      : limits_(limits), wanted_(wanted), before_(before) {}

  YamlDocument take() { return {.value = std::move(root_), .line = line_}; }
  std::size_t wanted_line() const { return wanted_line_; }
  /// Where the document begins, in characters.
  int start() const { return start_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (mark.pos == before_) refuse(mark, "what begins here is no document");
    start_ = mark.pos;
    line_ = static_cast<std::size_t>(mark.line) + 1;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, anchor, nullptr, {}, false); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) refuse(mark, "an alias of what contains it");
    count(mark, weight_of(found->second));
    if (!open_.empty() && open_.back().expects_key()) refuse(mark, "an alias can't be a key here");
    if (open_.size() + depth_of(found->second) > limits_.depth) too_deep(mark);
    put(mark, found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag == "?") return add(mark, anchor, resolved(value), value, true);
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return add(mark, anchor, value, value, false);
    if (tag == "tag:yaml.org,2002:binary") return add(mark, anchor, value, value, false);
    if (is_any_of(tag, {"tag:yaml.org,2002:int", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float",
                        "tag:yaml.org,2002:null"})) {
      return add(mark, anchor, resolved(value), value, true);
    }
    refuse(mark, fmt::format("the tag {} isn't known", excerpt(tag, 60)));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(mark, anchor, json::array());
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(mark, anchor, json::object());
  }
  void OnMapEnd() override { end(); }

 private:
  struct Open {
    json value;
    YAML::anchor_t anchor = YAML::NullAnchor;
    YAML::Mark mark = {};
    std::optional<std::string> key = {};
    bool merging = false;   ///< the key is a plain "<<"
    json merged = nullptr;  ///< what it brings: own members go before

    bool expects_key() const { return value.is_object() && !key; }
  };

  [[noreturn]] void too_deep(const YAML::Mark& mark) const {
    refuse(mark, fmt::format("nested deeper than {} levels", limits_.depth));
  }

  void count(const YAML::Mark& mark, std::size_t more) {
    nodes_ += more;
    if (nodes_ > limits_.nodes) refuse(mark, fmt::format("more than {} values, aliases followed", limits_.nodes));
  }

  /// What a copy costs, in values; a long string counts for several.
  static std::size_t weight_of(const json& value) {
    std::size_t weight = 1;
    if (value.is_string()) weight += value.get_ref<const std::string&>().size() / 32;
    if (value.is_structured())
      for (const auto& each : value) weight += weight_of(each);
    return weight;
  }

  static std::size_t depth_of(const json& value) {
    std::size_t depth = 0;
    if (value.is_structured())
      for (const auto& each : value) depth = std::max(depth, depth_of(each) + 1);
    return depth;
  }

  void remember(const YAML::Mark& mark, YAML::anchor_t anchor, const json& value) {
    if (anchor == YAML::NullAnchor) return;
    count(mark, weight_of(value));
    anchors_[anchor] = value;
  }

  void add(const YAML::Mark& mark, YAML::anchor_t anchor, json value, const std::string& text, bool plain) {
    count(mark, 1);
    if (!open_.empty() && open_.back().expects_key()) {
      auto key = key_text(value, text);
      if (open_.back().value.contains(key))
        refuse(mark, fmt::format("the key {} stands twice in one mapping", excerpt(key, 100)));
      open_.back().merging = plain && key == "<<";
      open_.back().key = std::move(key);
      note(mark);
      return;
    }
    remember(mark, anchor, value);
    put(mark, std::move(value));
  }

  void begin(const YAML::Mark& mark, YAML::anchor_t anchor, json value) {
    count(mark, 1);
    if (!open_.empty() && open_.back().expects_key()) refuse(mark, "a key must be a scalar");
    if (open_.size() >= limits_.depth) too_deep(mark);
    if (open_.empty()) line_ = static_cast<std::size_t>(mark.line) + 1;
    note(mark);
    open_.push_back({.value = std::move(value), .anchor = anchor, .mark = mark});
  }

  void end() {
    auto done = std::move(open_.back());
    open_.pop_back();
    if (done.merged.is_object())
      for (auto& [key, value] : done.merged.items())
        if (!done.value.contains(key)) done.value[key] = std::move(value);
    remember(done.mark, done.anchor, done.value);
    put(done.mark, std::move(done.value));
  }

  void put(const YAML::Mark& mark, json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    auto& [container, anchor, begun, key, merging, merged] = open_.back();
    if (container.is_array()) {
      note(mark);
      container.push_back(std::move(value));
      return;
    }
    if (merging) {
      merge(mark, std::move(value), merged);
    } else {
      container[*key] = std::move(value);
    }
    key.reset();
  }

  static void merge(const YAML::Mark& mark, json value, json& merged) {
    if (value.is_object()) value = json::array({std::move(value)});
    for (auto& source : value) {
      if (!source.is_object()) refuse(mark, "<< merges mappings alone");
      if (merged.is_null()) merged = json::object();
      for (auto& [key, member] : source.items())
        if (!merged.contains(key)) merged[key] = std::move(member);
    }
  }

  /// The line of the longest part of the wanted pointer that has been seen.
  void note(const YAML::Mark& mark) {
    if (wanted_ == nullptr) return;
    json::json_pointer here;
    for (const auto& each : open_) {
      if (each.value.is_array()) {
        here /= each.value.size();
      } else if (each.key) {
        here /= *each.key;
      }
    }
    const auto text = here.to_string();
    if (text.size() < matched_ || !wanted_->starts_with(text)) return;
    if (text.size() < wanted_->size() && !text.empty() && (*wanted_)[text.size()] != '/') return;
    if (text.size() == matched_ && wanted_line_ != 0) return;
    matched_ = text.size();
    wanted_line_ = static_cast<std::size_t>(mark.line) + 1;
  }

  const ManifestLimits& limits_;
  const std::string* wanted_;
  // Where the document before began: yaml-cpp leaves a stray ',' or '}' and would find an empty document there for
  // ever.
  int before_;
  int start_ = -1;
  std::size_t wanted_line_ = 0;
  std::size_t matched_ = 0;
  json root_;
  std::size_t line_ = 1;
  std::size_t nodes_ = 0;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, json> anchors_;
};

void check_yaml_size(std::string_view text, const ManifestLimits& limits) {
  if (text.size() > limits.size) {
    throw InputError(fmt::format("line 1, column 1: {} bytes long, at most {} are read", text.size(), limits.size));
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
    throw InputError(fmt::format("line {}, column 1: a NUL byte", line));
  }
}

}  // namespace

void for_each_yaml_document(std::string_view text, const ManifestLimits& limits,
                            const std::function<bool(YamlDocument&&)>& take) {
  check_yaml_size(text, limits);
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    for (int before = -1;;) {
      DocumentBuilder builder(limits, nullptr, before);
      if (!parser.HandleNextDocument(builder)) return;
      before = builder.start();
      if (!take(builder.take())) return;
    }
  } catch (const YAML::Exception& error) {
    refuse(error.mark, excerpt(error.msg));
  }
}

std::size_t yaml_line_of(std::string_view text, std::size_t document, const std::string& pointer,
                         const ManifestLimits& limits) {
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    for (std::size_t i = 1;; ++i) {
      DocumentBuilder builder(limits, &pointer);
      if (!parser.HandleNextDocument(builder)) return 1;
      if (i == document) return std::max<std::size_t>(builder.wanted_line(), 1);
    }
  } catch (const YAML::Exception&) {
    return 1;
  }
}

}  // namespace knetsim::kube
