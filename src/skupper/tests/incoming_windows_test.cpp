// What a peer is told of how much it may send, between two engines in memory: no socket, no time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/transport.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <new>
#include <ostream>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "router/incoming_stream.h"
#include "tests/capture.h"

namespace knetsim::skupper::router {
namespace {

struct Limits {
  std::size_t frames;      ///< of a session's window
  std::size_t frame_size;  ///< bytes
  std::size_t resume;      ///< frames that a blocked peer waits for
};

void PrintTo(const Limits& limits, std::ostream* out) { *out << limits.frames << " frames of " << limits.frame_size; }

/// One end of a connection in memory.
class Engine {
 public:
  Engine(const std::string& id, std::size_t frame_size) {
    if (pn_connection_driver_init(&driver_, nullptr, nullptr) != 0) throw std::bad_alloc();
    pn_transport_set_max_frame(driver_.transport, static_cast<std::uint32_t>(frame_size));
    pn_connection_set_container(driver_.connection, id.c_str());
    pn_connection_open(driver_.connection);
  }
  ~Engine() { pn_connection_driver_destroy(&driver_); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  pn_connection_t* connection() const { return driver_.connection; }
  pn_transport_t* transport() const { return driver_.transport; }

  void read(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto space = pn_connection_driver_read_buffer(&driver_);
      ASSERT_GT(space.size, 0U) << pn_condition_get_description(pn_transport_condition(transport()));
      const auto count = std::min(space.size, bytes.size());
      std::memcpy(space.start, bytes.data(), count);
      pn_connection_driver_read_done(&driver_, count);
      bytes.remove_prefix(count);
    }
  }
  void handle(const std::function<void(pn_event_t*)>& handler) {
    while (auto* event = pn_connection_driver_next_event(&driver_)) handler(event);
  }
  std::string write() {
    std::string result;
    for (auto bytes = pn_connection_driver_write_buffer(&driver_); bytes.size > 0;
         bytes = pn_connection_driver_write_buffer(&driver_)) {
      result.append(bytes.start, bytes.size);
      pn_connection_driver_write_done(&driver_, bytes.size);
    }
    return result;
  }

 private:
  pn_connection_driver_t driver_{};
};

/// A sender, and a receiver that takes what comes and tells of it through IncomingWindows.
class Connection {
 public:
  explicit Connection(const Limits& limits)
      : sender_("sender", limits.frame_size),
        receiver_("receiver", limits.frame_size),
        windows_(receiver_.transport(), limits.frames, limits.frame_size) {}

  pn_session_t* begin_session() {
    auto* session = pn_session(sender_.connection());
    sessions_.push_back({.engine = session});
    pn_session_open(session);
    exchange();
    return session;
  }
  pn_link_t* attach(pn_session_t* session) {
    auto* link = pn_sender(session, ("link" + std::to_string(links_++)).c_str());
    pn_link_open(link);
    exchange();
    return link;
  }
  /// Goes on with a stream, or begins one.
  void send(pn_link_t* link, std::size_t bytes) {
    const auto tag = std::to_string(streams_++);
    if (!pn_link_current(link)) pn_delivery(link, pn_dtag(tag.data(), tag.size()));
    const std::string piece(bytes, 'x');
    pn_link_send(link, piece.data(), piece.size());
  }
  static void end(pn_link_t* link) {
    if (auto* delivery = pn_link_current(link)) pn_delivery_settle(delivery);
  }
  static void abort(pn_link_t* link) {
    if (auto* delivery = pn_link_current(link)) pn_delivery_abort(delivery);
  }
  static void detach(pn_link_t* link) {
    pn_link_close(link);
    pn_link_free(link);
  }
  /// From here on, what comes on the link is left lying.
  void hold(pn_link_t* link) { held_.insert(pn_link_name(link)); }
  void take_all() {
    held_.clear();
    for (auto* link = pn_link_head(receiver_.connection(), 0); link; link = pn_link_next(link, 0)) take(link);
  }

  /// What has been put into the engines since the last time arrives, all of it at once.
  void exchange() {
    for (bool more = true; more;) {
      const auto sent = sender_.write();
      see_sent(sent);
      receiver_.read(sent);
      receiver_.handle([this](pn_event_t* event) { on_event(event); });
      windows_.tell();
      const auto answer = receiver_.write();
      see_answer(answer);
      sender_.read(answer);
      sender_.handle([](pn_event_t*) {});
      more = !sent.empty() || !answer.empty();
    }
  }

  /// How many frames the sender may send in the session, as far as it has heard.
  std::int64_t known(pn_session_t* session) const {
    const auto found = std::ranges::find(sessions_, session, &Session::engine);
    return found->end - found->sent;
  }

 private:
  struct Session {
    pn_session_t* engine;
    std::int64_t end = 0;  ///< transfers that the receiver would take, since the beginning
    std::int64_t sent = 0;
  };

  void on_event(pn_event_t* event) {
    auto* link = pn_event_link(event);
    switch (pn_event_type(event)) {
      case PN_SESSION_REMOTE_OPEN:
        windows_.add(pn_event_session(event));
        return pn_session_open(pn_event_session(event));
      case PN_LINK_REMOTE_OPEN:
        pn_link_open(link);
        return windows_.add(link);
      case PN_DELIVERY:
        if (held_.contains(pn_link_name(link)) && !pn_delivery_aborted(pn_event_delivery(event))) return;
        return take(link);
      case PN_LINK_REMOTE_CLOSE:
        windows_.remove(link);
        pn_link_close(link);
        return pn_link_free(link);
      default:
        return;
    }
  }

  /// All that has come on the link.
  void take(pn_link_t* link) {
    std::array<char, 64 * 1024> buffer{};
    while (auto* delivery = pn_link_current(link)) {
      while (pn_delivery_pending(delivery) > 0) {
        const auto count = pn_link_recv(link, buffer.data(), buffer.size());
        if (count <= 0) break;
        windows_.taken(link, static_cast<std::size_t>(count));
      }
      if (pn_delivery_partial(delivery) && !pn_delivery_aborted(delivery)) return;
      pn_delivery_settle(delivery);
      windows_.completed(link);
    }
  }

  void see_sent(const std::string& bytes) {
    sent_ += bytes;
    for (const auto& frame : wire::take_frames(sent_))
      if (frame.code == 0x14) ++sessions_.at(frame.channel).sent;  // TRANSFER
  }
  void see_answer(const std::string& bytes) {
    const auto number = [](const wire::Frame& frame, std::size_t field) {
      return std::int64_t{*frame.fields.at(field).get_if<std::uint32_t>()};
    };
    answered_ += bytes;
    for (const auto& frame : wire::take_frames(answered_)) {
      // BEGIN has the window as its third field; FLOW begins with the id of the transfer that it counts from.
      if (frame.code == 0x11) sessions_.at(frame.channel).end = number(frame, 2);
      if (frame.code == 0x13) sessions_.at(frame.channel).end = number(frame, 0) + number(frame, 1);
    }
  }

  Engine sender_;
  Engine receiver_;
  IncomingWindows windows_;
  std::vector<Session> sessions_;  ///< by channel
  std::set<std::string> held_;
  std::string sent_, answered_;  ///< of which no whole frame has been seen
  int links_ = 0;
  int streams_ = 0;
};

class IncomingWindowsTest : public testing::TestWithParam<Limits> {};

// Two changes of a link's credit that cancel each other out tell the peer nothing.
TEST(IncomingWindows, AreToldOfTogetherWithTheEndOfAStream) {
  Connection connection({.frames = 8, .frame_size = 16'384, .resume = 4});
  auto* session = connection.begin_session();
  auto* link = connection.attach(session);
  for (int batch = 0; batch < 3; ++batch) {
    connection.send(link, std::size_t{5} * 16'000);
    if (batch == 1) Connection::end(link);
    connection.exchange();
    EXPECT_GE(connection.known(session), 4) << "batch " << batch;
  }
}

TEST(IncomingWindows, AreToldOfWhenAStreamThatNobodyHasReadIsAborted) {
  Connection connection({.frames = 8, .frame_size = 16'384, .resume = 4});
  auto* session = connection.begin_session();
  auto* link = connection.attach(session);
  for (const bool held : {false, true}) {
    if (held) connection.hold(link);
    connection.send(link, std::size_t{5} * 16'000);
    connection.exchange();
  }
  EXPECT_LT(connection.known(session), 4);
  Connection::abort(link);
  connection.exchange();
  EXPECT_GE(connection.known(session), 4);
}

TEST(IncomingWindows, AreToldOfWhenALinkThatNobodyHasReadIsDetached) {
  Connection connection({.frames = 8, .frame_size = 16'384, .resume = 4});
  auto* session = connection.begin_session();
  auto* link = connection.attach(session);
  connection.attach(session);
  connection.hold(link);
  connection.send(link, std::size_t{5} * 16'000);
  connection.exchange();
  EXPECT_LT(connection.known(session), 4);
  Connection::detach(link);
  connection.exchange();
  EXPECT_GE(connection.known(session), 4);
}

TEST(IncomingWindows, ALinkGetsItsCreditBackForEachStreamThatHasEnded) {
  Connection connection({.frames = 8, .frame_size = 16'384, .resume = 4});
  auto* link = connection.attach(connection.begin_session());
  for (int i = 0; i < 2 * IncomingWindows::kCredit; ++i) {
    connection.send(link, 1);
    i % 2 == 0 ? Connection::end(link) : Connection::abort(link);
    connection.exchange();
    ASSERT_EQ(pn_link_credit(link), IncomingWindows::kCredit);
  }
}

TEST_P(IncomingWindowsTest, AreToldOfToASenderWhoseFramesAreSmall) {
  Connection connection(GetParam());
  auto* session = connection.begin_session();
  auto* link = connection.attach(session);
  for (std::size_t i = 0; i < std::min<std::size_t>(2 * GetParam().frames, 1'000); ++i) {
    connection.send(link, 1);
    connection.exchange();
    ASSERT_GE(connection.known(session), static_cast<std::int64_t>(GetParam().resume)) << "frame " << i;
  }
}

/// Whatever happens to streams that share a session, whoever waits for the window hears of it once all is taken.
TEST_P(IncomingWindowsTest, NeverLeaveASenderWaitingForRoomThatThereIs) {
  constexpr int kLinks = 3;
  constexpr int kSteps = 300;
  std::mt19937 random(1);
  const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
  Connection connection(GetParam());
  std::vector<pn_session_t*> sessions{connection.begin_session(), connection.begin_session()};
  std::vector<pn_link_t*> links;
  for (int i = 0; i < 2 * kLinks; ++i) links.push_back(connection.attach(sessions.at(i / kLinks)));
  for (int step = 0; step < kSteps; ++step) {
    for (auto actions = 1 + below(6); actions > 0; --actions) {
      auto& link = links.at(below(links.size()));
      switch (below(12)) {
        case 0:
          Connection::abort(link);
          break;
        case 1:
        case 2:
          Connection::end(link);
          break;
        case 3:
          connection.hold(link);
          break;
        case 4: {
          auto* session = pn_link_session(link);
          Connection::detach(link);
          link = connection.attach(session);
          break;
        }
        default:
          connection.send(link, 1 + below(4 * GetParam().frame_size));
      }
    }
    connection.exchange();
    if (below(2) == 0) continue;
    connection.take_all();
    connection.exchange();
    for (auto* session : sessions)
      ASSERT_GE(connection.known(session), static_cast<std::int64_t>(GetParam().resume)) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(, IncomingWindowsTest,
                         testing::Values(Limits{1, 16'384, 1}, Limits{2, 16'384, 1}, Limits{3, 16'384, 2},
                                         Limits{32, 16'384, 16}, Limits{33, 16'384, 32}, Limits{40, 16'384, 32},
                                         Limits{640, 16'384, 32}, Limits{8192, 16'384, 32}, Limits{640, 2'048, 256},
                                         Limits{40, 65'536, 8}));

}  // namespace
}  // namespace knetsim::skupper::router
