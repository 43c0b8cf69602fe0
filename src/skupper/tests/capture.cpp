#include "capture.h"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <tuple>

#include "wire/codec.h"

namespace knetsim::skupper::wire {

namespace {

constexpr std::size_t kFrameHeader = 8;
constexpr std::uint64_t kTransfer = 0x14;

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

/// "0a[61*3]" -> "\n" "aaa"
std::string unpack(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size();) {
    const bool run = text[i] == '[';
    const auto byte = static_cast<char>(std::stoi(text.substr(i + (run ? 1 : 0), 2), nullptr, 16));
    if (!run) {
      bytes.push_back(byte);
      i += 2;
      continue;
    }
    const auto end = text.find(']', i);
    bytes.append(std::stoul(text.substr(i + 4, end - i - 4)), byte);
    i = end + 1;
  }
  return bytes;
}

Frame read_frame(std::string_view bytes) {
  Frame frame;
  if (bytes.starts_with("AMQP") || 4 * std::size_t{static_cast<unsigned char>(bytes[4])} == bytes.size()) return frame;
  frame.sasl = bytes[5] == 1;
  if (!frame.sasl) frame.channel = static_cast<std::uint16_t>(big_endian(bytes.substr(6, 2)));
  Decoder decoder(bytes.substr(4 * static_cast<unsigned char>(bytes[4])));
  const auto value = decoder.value();
  const auto& performative = *value.get_if<Described>();
  frame.code = *performative.descriptor->get_if<std::uint64_t>();
  frame.fields = *performative.value->get_if<List>();
  frame.payload = decoder.rest();
  return frame;
}

/// The length of what `bytes` begin with, a protocol header or a frame; 0 if it isn't complete.
std::size_t unit_length(std::string_view bytes) {
  if (bytes.size() < kFrameHeader) return 0;
  const auto length = bytes.starts_with("AMQP") ? kFrameHeader : big_endian(bytes.substr(0, 4));
  return bytes.size() < length ? 0 : length;
}

/// Transfers of one delivery follow each other on their link; the second and later ones may leave out its id.
std::vector<Delivery> assemble(const std::vector<Frame>& frames) {
  std::vector<Delivery> deliveries;
  std::map<std::tuple<int, Side, std::uint16_t, std::uint32_t>, std::size_t> open;
  for (const auto& frame : frames) {
    if (frame.sasl || frame.code != kTransfer) continue;
    const std::tuple link{frame.stream, frame.sender, frame.channel, *frame.fields.at(0).get_if<std::uint32_t>()};
    const auto [entry, is_new] = open.try_emplace(link, deliveries.size());
    if (is_new)
      deliveries.push_back({frame.packet, frame.time, frame.stream, frame.sender, frame.channel, frame.payload, ""});
    deliveries[entry->second].bytes += frame.payload;
    const bool more = frame.fields.size() > 5 && frame.fields[5] == Value(true);
    if (!more) open.erase(entry);
  }
  return deliveries;
}

}  // namespace

void PrintTo(const Value& value, std::ostream* out) { *out << to_string(value); }

std::vector<Frame> Capture::with(std::uint64_t code) const {
  std::vector<Frame> result;
  for (const auto& frame : frames)
    if (!frame.sasl && frame.code == code) result.push_back(frame);
  return result;
}

const Delivery& Capture::delivery(int packet) const {
  for (const auto& delivery : deliveries)
    if (delivery.packet == packet) return delivery;
  throw std::out_of_range(fmt::format("no delivery begins in packet {}", packet));
}

std::vector<Frame> take_frames(std::string& bytes) {
  std::vector<Frame> frames;
  std::size_t taken = 0;
  while (const auto length = unit_length(std::string_view(bytes).substr(taken))) {
    frames.push_back(read_frame(std::string_view(bytes).substr(taken, length)));
    taken += length;
  }
  bytes.erase(0, taken);
  return frames;
}

std::vector<Frame> read_frames(std::string_view bytes) {
  std::string rest(bytes);
  auto frames = take_frames(rest);
  if (!rest.empty()) throw std::runtime_error("the bytes end within a frame");
  return frames;
}

Capture read_capture(const std::string& name) {
  const auto path = KNETSIM_CAPTURES "/" + name + ".txt";
  std::ifstream file(path);
  if (!file) throw std::runtime_error("can't open " + path);
  Capture capture;
  std::map<std::pair<int, Side>, std::string> pending;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    int packet = 0;
    int milliseconds = 0;
    int stream = 0;
    std::string sender;
    std::string bytes;
    words >> packet >> milliseconds >> stream >> sender >> bytes;
    const auto side = sender == "connector" ? Side::connector : Side::listener;
    auto& buffer = pending[{stream, side}];
    buffer += unpack(bytes);
    for (auto& frame : take_frames(buffer)) {
      frame.packet = packet;
      frame.time = std::chrono::milliseconds(milliseconds);
      frame.stream = stream;
      frame.sender = side;
      capture.frames.push_back(std::move(frame));
    }
  }
  for (const auto& [end, rest] : pending)
    if (!rest.empty()) throw std::runtime_error(fmt::format("{}: stream {} ends within a frame", path, end.first));
  capture.deliveries = assemble(capture.frames);
  return capture;
}

}  // namespace knetsim::skupper::wire
