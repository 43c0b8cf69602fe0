#include "knetsim/emulator/source_text.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace knetsim {

namespace {

/// Follows the parser through the text and keeps the line of the deepest value on the way to the wanted one. The parser
/// may have read a character beyond a number: blanks don't count.
class LineOfValue {
 public:
  explicit LineOfValue(const nlohmann::json::json_pointer& wanted) {
    for (auto left = wanted; !left.empty(); left.pop_back()) path_.insert(path_.begin(), left.back());
  }

  void read(char c) {
    if (c == '\n') ++line_;
    if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) last_ = line_;
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
    if (on_the_way) found_ = last_;
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
  std::size_t line_ = 1;
  std::size_t last_ = 1;
  std::size_t found_ = 1;
};

/// What the parser reads, seen by the one who counts.
class Watched {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Watched(const char* at, LineOfValue& watcher) : at_(at), watcher_(&watcher) {}
  reference operator*() const { return *at_; }
  Watched& operator++() {
    watcher_->read(*at_++);
    return *this;
  }
  bool operator==(const Watched& other) const { return at_ == other.at_; }
  bool operator!=(const Watched& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  LineOfValue* watcher_;
};

std::size_t line_of(const std::string& text, const std::string& pointer) try {
  LineOfValue watcher{nlohmann::json::json_pointer(pointer)};
  nlohmann::json::sax_parse(Watched(text.data(), watcher), Watched(text.data() + text.size(), watcher), &watcher);
  return watcher.found();
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

}  // namespace

std::string SourceText::place(const std::string& pointer) const {
  const auto shown = shown_pointer(pointer);
  if (file.empty()) return shown;
  if (text.empty()) return file + ": " + shown;
  return fmt::format("{}:{}: {}", file, line_of(text, pointer), shown);
}

}  // namespace knetsim
