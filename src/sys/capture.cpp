#include "knetsim/sys/capture.h"

#include <fmt/format.h>
#include <poll.h>

#include "packet_socket.h"

namespace knetsim {

namespace {
constexpr std::uint32_t kWholeFrame = 256 * 1024;  // a segmentation offload's frame may exceed 64 KiB
}

struct Capture::State {
  std::string interface;
  PacketSocket socket;
  std::uint64_t seen = 0;
  std::string last = {};

  std::optional<std::vector<std::uint8_t>> next_match(const Predicate& predicate) {
    while (const auto received = socket.receive()) {
      ++seen;
      if (predicate(received->bytes)) return std::vector(received->bytes.begin(), received->bytes.end());
      last = packet::summary(received->bytes);
    }
    return std::nullopt;
  }

  std::string mismatch(const std::string& what) {
    auto text = fmt::format("{} on {}; {} packets seen", what, interface, seen);
    if (!last.empty()) text += ", the last of them " + last;
    if (const auto lost = socket.dropped(); lost > 0) text += fmt::format("; {} lost by the kernel", lost);
    return text;
  }
};

Capture::Capture(const NetNs& ns, const std::string& interface)
    : state_(std::make_unique<State>(State{interface, PacketSocket(ns, interface, kWholeFrame)})) {}

Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;
Capture::~Capture() = default;

std::vector<std::uint8_t> Capture::wait_for(const Predicate& predicate, const std::string& what,
                                            std::chrono::milliseconds budget) {
  using std::chrono::milliseconds;
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + budget;
  for (;;) {
    if (auto match = state_->next_match(predicate)) return std::move(*match);
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) throw StillMissing(state_->mismatch(what), budget);
    pollfd event{state_->socket.fd().get(), POLLIN, 0};
    ::poll(&event, 1, static_cast<int>(left.count()));
  }
}

bool Capture::saw_none(const Predicate& predicate) { return !state_->next_match(predicate); }

}  // namespace knetsim
