#include "stream_frames.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace knetsim::stream_frames {

using nlohmann::json;

namespace {

constexpr std::size_t kLongestResize = 256;  // {"Width":80,"Height":24}
constexpr int kSignalled = 128;              // a shell's exit code of what a signal ended

std::optional<unsigned short> side(const json& size, const char* name) {
  const auto found = size.find(name);
  if (found == size.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto value = found->get<std::uint64_t>();
  if (value == 0 || value > std::numeric_limits<unsigned short>::max()) return std::nullopt;
  return static_cast<unsigned short>(value);
}

Message resize(std::string_view text) {
  if (text.size() > kLongestResize) return {};
  const auto size = json::parse(text, nullptr, false);
  if (!size.is_object()) return {};
  const auto rows = side(size, "Height");
  const auto columns = side(size, "Width");
  if (!rows || !columns) return {};
  return {.kind = Message::Kind::resize, .window = {.rows = *rows, .columns = *columns}};
}

}  // namespace

Message read(std::string_view text) {
  if (text.empty()) return {};
  const auto data = text.substr(1);
  switch (static_cast<Channel>(text.front())) {
    case Channel::in:
      return data.empty() ? Message{} : Message{.kind = Message::Kind::input, .data = data};
    case Channel::close:
      return data == std::string_view("\0", 1) ? Message{.kind = Message::Kind::end_of_input} : Message{};
    case Channel::resize:
      return resize(data);
    default:
      return {};
  }
}

std::string status_of(const ExitStatus& end) {
  if (end.success()) return R"({"metadata":{},"status":"Success"})";
  const auto code = end.code().value_or(kSignalled + end.signal().value_or(0));
  return json{{"metadata", json::object()},
              {"status", "Failure"},
              {"message", fmt::format("command terminated with non-zero exit code: {}", end.describe())},
              {"reason", "NonZeroExitCode"},
              {"details", {{"causes", {{{"reason", "ExitCode"}, {"message", std::to_string(code)}}}}}}}
      .dump();
}

}  // namespace knetsim::stream_frames
