#include "pcapng.h"

#include <cstring>

namespace knetsim {

namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kInterfaceStatistics = 5;
constexpr std::uint32_t kEnhancedPacket = 6;

constexpr std::uint16_t kEndOfOptions = 0;
constexpr std::uint16_t kSectionApplication = 4;
constexpr std::uint16_t kInterfaceName = 2;
constexpr std::uint16_t kTimeResolution = 9;
constexpr std::uint16_t kPacketFlags = 2;
constexpr std::uint16_t kReceived = 4;
constexpr std::uint16_t kDroppedBySystem = 7;

constexpr std::uint16_t kLinkTypeEthernet = 1;

}  // namespace

// A block while it is written: type and length in front, the length once more at its end.
class PcapngFile::Block {
 public:
  Block(std::string& content, std::uint32_t type) : content_(content), start_(content.size()) {
    put(type);
    put(std::uint32_t{0});
  }
  ~Block() {
    if (has_options_) {
      put(kEndOfOptions);
      put(std::uint16_t{0});
    }
    const auto length = static_cast<std::uint32_t>(content_.size() - start_ + sizeof(std::uint32_t));
    std::memcpy(content_.data() + start_ + sizeof(std::uint32_t), &length, sizeof length);
    put(length);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  template <typename T>
  void put(T value) {
    content_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_padded(std::string_view bytes) {
    content_.append(bytes);
    content_.append((4 - bytes.size() % 4) % 4, '\0');
  }
  // Units come from if_tsresol; the high half stands first in either byte order.
  void put_time(std::chrono::nanoseconds time) {
    const auto count = static_cast<std::uint64_t>(time.count());
    put(static_cast<std::uint32_t>(count >> 32));
    put(static_cast<std::uint32_t>(count));
  }
  void option(std::uint16_t code, std::string_view value) {
    has_options_ = true;
    put(code);
    put(static_cast<std::uint16_t>(value.size()));
    put_padded(value);
  }
  template <typename T>
  void option(std::uint16_t code, T value) requires std::is_integral_v<T> {
    option(code, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
  }

 private:
  std::string& content_;
  std::size_t start_;
  bool has_options_ = false;
};

PcapngFile::PcapngFile(std::string_view application) {
  Block block(content_, kSectionHeader);
  block.put(std::uint32_t{0x1a2b3c4d});
  block.put(std::uint16_t{1});
  block.put(std::uint16_t{0});
  block.put(std::int64_t{-1});  // the section's length: until the end of the file
  block.option(kSectionApplication, application);
}

void PcapngFile::add_interface(std::string_view name, std::uint32_t snap_length) {
  Block block(content_, kInterfaceDescription);
  block.put(kLinkTypeEthernet);
  block.put(std::uint16_t{0});
  block.put(snap_length);
  block.option(kInterfaceName, name);
  block.option(kTimeResolution, std::uint8_t{9});
}

void PcapngFile::add_packet(std::uint32_t interface, std::chrono::nanoseconds time, std::uint32_t flags,
                            std::uint32_t original_length, packet::Bytes bytes) {
  Block block(content_, kEnhancedPacket);
  block.put(interface);
  block.put_time(time);
  block.put(static_cast<std::uint32_t>(bytes.size()));
  block.put(original_length);
  block.put_padded({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  block.option(kPacketFlags, flags);
}

void PcapngFile::add_statistics(std::uint32_t interface, std::chrono::nanoseconds time, std::uint64_t received,
                                std::optional<std::uint64_t> dropped) {
  Block block(content_, kInterfaceStatistics);
  block.put(interface);
  block.put_time(time);
  block.option(kReceived, received);
  if (dropped) block.option(kDroppedBySystem, *dropped);
}

}  // namespace knetsim
