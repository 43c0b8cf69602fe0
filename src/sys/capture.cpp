#include "knetsim/sys/capture.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/packet_socket.h"
#include "pcapng.h"

namespace knetsim {

namespace {

constexpr std::uint32_t kWholeFrame = 256 * 1024;  // a segmentation offload's frame may exceed 64 KiB

// So that an endless stream in one namespace can't keep the reader from the others, or from stopping.
constexpr int kMostAtOnce = 4096;
constexpr std::uint64_t kStopEvent = UINT64_MAX;
constexpr int kLoopbackIndex = 1;

std::uint32_t flags_of(std::uint8_t kind) {
  switch (kind) {
    case PACKET_OUTGOING:
      return kOutbound;
    case PACKET_BROADCAST:
      return kInbound | kBroadcast;
    case PACKET_MULTICAST:
      return kInbound | kMulticast;
    case PACKET_OTHERHOST:
      return kInbound | kPromiscuous;
    default:
      return kInbound | kUnicast;
  }
}

struct Record {
  std::chrono::nanoseconds time;
  std::uint32_t interface;
  std::uint32_t flags;
  std::uint32_t original_length;
  std::vector<std::uint8_t> bytes;

  std::size_t size() const { return sizeof(Record) + bytes.size(); }
};

// One watched namespace, and where its interfaces stand in the list of all.
struct Source {
  std::string name;
  PacketSocket socket;
  std::map<int, std::uint32_t> interfaces = {};
};

struct Interface {
  std::string name;
  std::uint64_t received = 0;
};

}  // namespace

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

struct PacketTrace::State {
  explicit State(TraceLimits l) : limits(l) {}

  TraceLimits limits;
  Fd events{::epoll_create1(EPOLL_CLOEXEC)};
  Fd stop_event{::eventfd(0, EFD_CLOEXEC)};

  std::mutex mutex;  // guards all below, sockets included
  bool stopped = false;
  std::deque<Source> sources;
  std::vector<Interface> interfaces;
  std::deque<Record> records;
  std::size_t size = 0;
  std::uint64_t forgotten = 0;

  std::thread reader;
  std::vector<std::thread> closers;

  void watch(FdView fd, std::uint64_t id) const {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
    if (::epoll_ctl(events.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) throw SystemError("watch a packet socket");
  }

  std::uint32_t interface_of(Source& source, int index) {
    const auto [entry, is_new] = source.interfaces.try_emplace(index, static_cast<std::uint32_t>(interfaces.size()));
    if (is_new) interfaces.push_back({source.name + ":" + source.socket.interface_name(index)});
    return entry->second;
  }

  void remember(Record record) {
    size += record.size();
    records.push_back(std::move(record));
    while (size > limits.bytes || records.size() > limits.packets) {
      size -= records.front().size();
      records.pop_front();
      ++forgotten;
    }
  }

  void collect(Source& source) {
    for (int i = 0; i < kMostAtOnce; ++i) {
      const auto received = source.socket.receive();
      if (!received) return;
      const auto interface = interface_of(source, received->interface);
      ++interfaces[interface].received;
      remember({.time = received->time,
                .interface = interface,
                .flags = flags_of(received->kind),
                .original_length = received->original_length,
                .bytes = {received->bytes.begin(), received->bytes.end()}});
    }
  }

  void collect_all() {
    if (stopped) return;
    for (auto& source : sources) collect_or_give_up(source);
  }

  void read_until_stopped() {
    std::array<epoll_event, 32> ready;
    for (;;) {
      const int count = ::epoll_wait(events.get(), ready.data(), static_cast<int>(ready.size()), -1);
      const std::lock_guard lock(mutex);
      for (int i = 0; i < count; ++i) {
        const auto id = ready[static_cast<std::size_t>(i)].data.u64;
        if (id == kStopEvent) return;
        collect_or_give_up(sources[id]);
      }
    }
  }

  // A trace is evidence, not part of the test: a socket that fails is left alone.
  void collect_or_give_up(Source& source) {
    try {
      collect(source);
    } catch (const std::exception&) {
      ::epoll_ctl(events.get(), EPOLL_CTL_DEL, source.socket.fd().get(), nullptr);
    }
  }

  std::string as_pcapng() {
    PcapngFile file("knetsim");
    for (const auto& interface : interfaces) file.add_interface(interface.name, limits.snap_length);
    // Sockets are read one after the other, so the records are in order for each namespace only.
    std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
    for (const auto& record : records)
      file.add_packet(record.interface, record.time, record.flags, record.original_length, record.bytes);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    for (auto& source : sources) {
      // The kernel counts losses for each socket: the namespace's first interface tells them.
      std::optional dropped(source.socket.dropped());
      for (const auto& [index, id] : source.interfaces)
        file.add_statistics(id, now, interfaces[id].received, std::exchange(dropped, std::nullopt));
    }
    return file.content();
  }
};

PacketTrace::PacketTrace(TraceLimits limits) : state_(std::make_unique<State>(limits)) {
  if (!state_->events || !state_->stop_event) throw SystemError("prepare to watch packet sockets");
  state_->watch(state_->stop_event, kStopEvent);
  state_->reader = std::thread([state = state_.get()] { state->read_until_stopped(); });
}

PacketTrace::~PacketTrace() {
  stop();
  for (auto& closer : state_->closers) closer.join();
}

void PacketTrace::add(const std::string& name, const NetNs& ns) {
  PacketSocket socket(ns, {}, state_->limits.snap_length);
  const std::lock_guard lock(state_->mutex);
  if (state_->stopped) throw Error("a packet trace that was stopped can't watch " + name);
  auto& source = state_->sources.emplace_back(Source{name, std::move(socket)});
  state_->watch(source.socket.fd(), state_->sources.size() - 1);
  // libpcap refuses a file without any interface: even a silent namespace shows one.
  state_->interface_of(source, kLoopbackIndex);
}

void PacketTrace::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopped) return;
    state_->collect_all();
    state_->stopped = true;
  }
  const std::uint64_t one = 1;
  if (::write(state_->stop_event.get(), &one, sizeof one) != sizeof one) std::abort();
  state_->reader.join();
  for (auto& source : state_->sources) {
    source.socket.dropped();
    state_->closers.emplace_back([socket = source.socket.release()] {});
  }
}

void PacketTrace::save(const std::filesystem::path& path) {
  const std::lock_guard lock(state_->mutex);
  state_->collect_all();
  write_file_atomically(path, state_->as_pcapng());
}

PacketTrace::Counts PacketTrace::counts() {
  const std::lock_guard lock(state_->mutex);
  state_->collect_all();
  Counts counts{.kept = state_->records.size(), .forgotten = state_->forgotten, .dropped = 0};
  for (auto& source : state_->sources) counts.dropped += source.socket.dropped();
  return counts;
}

}  // namespace knetsim
