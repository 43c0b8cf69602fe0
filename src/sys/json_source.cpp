#include "knetsim/sys/json_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "json_text.h"

namespace knetsim {

namespace {

/// Follows the parser through the text and keeps how much of it was taken when the deepest value on the way to the
/// wanted one began. The parser may have taken a character beyond a number.
class PlaceOfValue {
 public:
  PlaceOfValue(const nlohmann::json::json_pointer& wanted, const std::size_t& taken) : taken_(taken) {
    for (auto left = wanted; !left.empty(); left.pop_back()) path_.insert(path_.begin(), left.back());
  }

  std::size_t found() const { return found_; }

  bool null() { return value(); }
  bool boolean(bool) { return value(); }
  bool number_integer(std::int64_t) { return value(); }
  bool number_unsigned(std::uint64_t) { return value(); }
  bool number_float(double, const std::string&) { return value(); }
  bool string(const std::string&) { return value(); }
  bool binary(const std::vector<std::uint8_t>&) { return value(); }
  bool start_object(std::size_t) { return open(false); }
  bool start_array(std::size_t) { return open(true); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(const std::string& name) {
    open_.back().step = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) { return false; }

 private:
  struct Open {
    bool array;
    bool on_the_way;        // this container is on the path
    std::size_t index = 0;  // of an array's next element
    std::string step = {};  // the key, or the index as text
  };

  /// Whether the value that begins here is on the way; notes its line.
  bool begin() {
    auto on_the_way = open_.empty();
    if (!open_.empty()) {
      auto& parent = open_.back();
      if (parent.array) parent.step = std::to_string(parent.index++);
      on_the_way = parent.on_the_way && open_.size() <= path_.size() && parent.step == path_[open_.size() - 1];
    }
    if (on_the_way) found_ = taken_;
    return on_the_way;
  }
  bool value() {
    begin();
    return true;
  }
  bool open(bool array) {
    const bool on_the_way = begin();
    open_.push_back({array, on_the_way});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::vector<std::string> path_;
  std::vector<Open> open_;
  const std::size_t& taken_;
  std::size_t found_ = 0;
};

std::ptrdiff_t line_of(const std::string& text, const std::string& pointer) try {
  std::size_t taken = 0;
  PlaceOfValue watcher{nlohmann::json::json_pointer(pointer), taken};
  nlohmann::json::sax_parse(CountedCharacters{text.data(), &taken},
                            CountedCharacters{text.data() + text.size(), nullptr}, &watcher);
  const auto before = std::string_view(text).substr(0, watcher.found());
  const auto blanks = before.find_last_not_of(" \t\r\n") + 1;
  return 1 + std::count(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(blanks), '\n');
} catch (const nlohmann::json::exception&) {
  return 1;
}

/// Fit for a line of a message: keys may hold anything.
std::string shown_pointer(const std::string& pointer) {
  constexpr std::size_t kLongest = 200;
  if (pointer.empty()) return "/";
  std::string shown;
  for (const char c : pointer) {
    if (shown.size() >= kLongest) return shown + "…";
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < ' ' || byte == 0x7f ? fmt::format("\\u{:04x}", byte) : std::string(1, c);
  }
  return shown;
}

constexpr std::size_t kLongestProblem = 1'000;

std::string text_of(const JsonSource& source, const JsonComplaint& complaint) {
  auto problem = complaint.problem;
  if (problem.size() > kLongestProblem) problem.resize(kLongestProblem);
  std::replace_if(
      problem.begin(), problem.end(), [](unsigned char c) { return (c < ' ' && c != '\n') || c == 0x7f; }, '?');
  const auto& remedy = complaint.remedy.empty() ? source.help : complaint.remedy;
  return fmt::format("{}: {}{}{}{}", source.place(complaint.pointer), complaint.value,
                     complaint.value.empty() ? "" : ": ", problem,
                     // What is quoted may bring its own.
                     remedy.empty() || problem.find("remedy: ") != std::string::npos ? "" : "\n  remedy: " + remedy);
}

}  // namespace

std::string JsonSource::place(const std::string& pointer) const {
  auto shown = shown_pointer(pointer);
  if (file.empty()) return shown;
  if (text.empty()) return file + ": " + shown;
  return fmt::format("{}:{}: {}", file, line_of(text, pointer), shown);
}

JsonError::JsonError(const JsonSource& source, JsonComplaint complaint)
    : InputError(text_of(source, complaint)), complaint_(std::move(complaint)) {}

}  // namespace knetsim
