// A lab's door, where there are more visitors than descriptors.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "attach/lab_socket.h"
#include "attach/visit.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

sockaddr_un door_address() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = std::filesystem::path(kStateDirectory) / "door";
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  return address;
}

Fd make_door() {
  Fd door(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const auto address = door_address();
  if (::bind(door.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(door.get(), SOMAXCONN) != 0)
    throw SystemError("make a door");
  return door;
}

Fd knock() {
  Fd visitor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const auto address = door_address();
  if (::connect(visitor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw SystemError("knock at the door");
  return visitor;
}

/// No descriptor beyond those that are open, for the length of its life.
class NoDescriptorLeft {
 public:
  NoDescriptorLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const Fd lowest(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const rlimit none{static_cast<rlim_t>(lowest.get()), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptorLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptorLeft(const NoDescriptorLeft&) = delete;
  NoDescriptorLeft& operator=(const NoDescriptorLeft&) = delete;

 private:
  rlimit before_{};
};

// A door that stays ready to be opened would wake the loop without end.
TEST(VisitorsOfALab, AreTurnedAwayWithAWordWhenItHasNoDescriptorLeft) {
  const auto door = make_door();
  EventLoop loop;
  const Visitors visitors(loop, door,
                          {.describe = [] { return nlohmann::json::object(); },
                           .inspect = {},
                           .command_on = {},
                           .kubectl = {},
                           .explain = {},
                           .end = {}});
  for (const auto* which : {"the first", "the next one"}) {
    SCOPED_TRACE(which);
    const auto visitor = knock();
    bool answered = false;
    const auto answer = loop.watch(visitor, POLLIN, [&] { answered = true; });
    {
      const NoDescriptorLeft limit;
      loop.run_until([&] { return answered; }, std::chrono::seconds(10));
    }
    ASSERT_TRUE(answered) << "the visitor is left standing, and the loop wakes again and again";
    const auto message = receive_message(visitor);
    ASSERT_TRUE(message);
    EXPECT_THAT(message->text, HasSubstr("no descriptors left"));
  }
}

TEST(VisitorsOfALab, AreServedAgainAfterwards) {
  const auto door = make_door();
  EventLoop loop;
  const Visitors visitors(loop, door,
                          {.describe = [] { return nlohmann::json::object(); },
                           .inspect = {},
                           .command_on = {},
                           .kubectl = {},
                           .explain = {},
                           .end = {}});
  const auto turned_away = knock();
  {
    const NoDescriptorLeft limit;
    loop.run_ready();
  }
  const auto visitor = knock();
  send_message(visitor, R"({"ask": "describe"})");
  bool answered = false;
  const auto answer = loop.watch(visitor, POLLIN, [&] { answered = true; });
  loop.run_until([&] { return answered; }, std::chrono::seconds(10));
  ASSERT_TRUE(answered);
  const auto message = receive_message(visitor);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->text, "{}");
}

// Somebody reads the other end of a pipe until there is no writer any more.
TEST(VisitorsOfALab, LeaveNoDescriptorBehindWhenTheirLineIsDone) {
  const auto door = make_door();
  EventLoop loop;
  const Visitors visitors(loop, door,
                          {.describe = {},
                           .inspect = {},
                           .command_on = {},
                           .kubectl = {},
                           .explain = {},
                           .do_errand =
                               [](const std::shared_ptr<Errand>& errand) {
                                 errand->tell_end(0);
                                 return true;
                               },
                           .end = {}});
  auto output = Pipe::create();
  auto visitor = knock();
  send_message(visitor, R"({"ask": "do", "line": "nodes", "terminal": false, "term": ""})",
               {output.write, output.write, output.write});
  output.write.reset();
  bool answered = false;
  {
    const auto answer = loop.watch(visitor, POLLIN, [&] { answered = true; });
    loop.run_until([&] { return answered; }, std::chrono::seconds(10));
  }
  ASSERT_TRUE(answered);
  visitor.reset();
  bool hung_up = false;
  const auto end = loop.watch(output.read, POLLIN, [&] { hung_up = true; });
  loop.run_until([&] { return hung_up; }, std::chrono::seconds(10));
  EXPECT_TRUE(hung_up) << "the lab still holds the visitor's output";
}

TEST(VisitorsOfALab, HearWhereTheirQuestionIsWrong) {
  const auto door = make_door();
  EventLoop loop;
  const Visitors visitors(loop, door,
                          {.describe = {}, .inspect = {}, .command_on = {}, .kubectl = {}, .explain = {}, .end = {}});
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{}", "the question:1: /ask: "},
      {R"({"ask": 7})", "the question:1: /ask: 7: "},
      {R"({"ask": "signal", "number": "9"})", "the question:1: /number: "},
      {R"({"ask": )", "the question:1:"},
      {"[]", "the question:1: "},
  };
  for (const auto& [question, place] : cases) {
    const auto visitor = knock();
    send_message(visitor, question);
    bool answered = false;
    const auto answer = loop.watch(visitor, POLLIN, [&] { answered = true; });
    loop.run_until([&] { return answered; }, std::chrono::seconds(10));
    ASSERT_TRUE(answered) << question;
    const auto message = receive_message(visitor);
    ASSERT_TRUE(message) << question;
    EXPECT_THAT(message->text, AllOf(HasSubstr("refused"), HasSubstr(place))) << question;
  }
}

}  // namespace
}  // namespace knetsim::cli
