// What others may do with the containers of Pods: those that run here, and those that somebody else has.
#include "../kubelet/pod_registry.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include <array>

#include "knetsim/sys/error.h"

namespace knetsim::kubelet {
namespace {

using testing::HasSubstr;

const PodContainer kWeb{.node = "w1", .ns = "default", .pod = "web", .container = "a"};

class NobodyElse : public PodRuntime {
 public:
  PodProgram start(const PodContainer&, std::vector<std::string>, Streams) override { throw InputError("others"); }
  PodAttachment attach(const PodContainer&) override { throw InputError("others"); }
  Fd socket_in(const PodContainer&) override { throw InputError("others"); }
  PodLog log(const PodContainer&, bool) override { throw InputError("others"); }
};

class Registry : public testing::Test {
 protected:
  template <typename Deed>
  static std::string complaint(Deed deed) {
    try {
      deed();
    } catch (const InputError& error) {
      return error.what();
    }
    return "none";
  }

  NobodyElse others_;
  PodRegistry registry_{others_};
};

TEST_F(Registry, LooksForItsOwnPodsAndAsksOthersForTheRest) {
  EXPECT_EQ(complaint([&] { registry_.log(kWeb, false); }), "others");
  registry_.add("default", "web");
  EXPECT_THAT(complaint([&] { registry_.log(kWeb, false); }), HasSubstr("hasn't been started on w1"));
  auto run = Pipe::create();
  registry_.put(kWeb, {.runs = true, .log = "/logs/1.log", .previous = "/logs/0.log", .ended = std::move(run.read)});
  auto elsewhere = kWeb;
  elsewhere.node = "w2";
  EXPECT_THAT(complaint([&] { registry_.log(elsewhere, false); }), HasSubstr("hasn't been started on w2"));
  EXPECT_TRUE(registry_.log(kWeb, false).ended);
  EXPECT_EQ(registry_.log(kWeb, false).file, "/logs/1.log");
  EXPECT_EQ(registry_.log(kWeb, true).file, "/logs/0.log");
  registry_.ended(kWeb);
  EXPECT_FALSE(registry_.log(kWeb, false).ended);
  EXPECT_EQ(registry_.log(kWeb, false).file, "/logs/1.log") << "its log outlives its run";
  EXPECT_THAT(complaint([&] { registry_.start(kWeb, {"true"}, {}); }), HasSubstr("isn't running"));
  EXPECT_THAT(complaint([&] { registry_.attach(kWeb); }), HasSubstr("isn't running"));
  registry_.forget("default", "web");
  EXPECT_EQ(complaint([&] { registry_.start(kWeb, {"true"}, {}); }), "others");
  registry_.add("default", "web");
  EXPECT_THAT(complaint([&] { registry_.log(kWeb, false); }), HasSubstr("hasn't been started"))
      << "another of its name";
}

TEST_F(Registry, OpensSocketsInPodsThatRun) {
  const auto here = NetNs::current();
  EXPECT_EQ(complaint([&] { registry_.socket_in(kWeb); }), "others");
  registry_.add("default", "web");
  registry_.add("default", "idle");
  registry_.put(kWeb, {.command = {.argv = {}, .netns = &here}, .runs = true});
  EXPECT_TRUE(registry_.socket_in(kWeb));
  auto idle = kWeb;
  idle.pod = "idle";
  EXPECT_THAT(complaint([&] { registry_.socket_in(idle); }), HasSubstr("default/idle isn't running on w1"));
  registry_.ended(kWeb);
  EXPECT_THAT(complaint([&] { registry_.socket_in(kWeb); }), HasSubstr("default/web isn't running on w1"));
}

TEST_F(Registry, TellsAProgramThatItsPodIsGone) {
  auto life = Pipe::create();
  registry_.add("default", "web");
  registry_.put(
      kWeb, {.command = {.argv = {}, .environment = {{"COLOUR", "blue"}}}, .runs = true, .gone = std::move(life.read)});
  auto program = registry_.start(kWeb, {"sh", "-c", "echo $COLOUR"}, {.out = true});
  program.child.wait(std::chrono::seconds(10));
  std::array<char, 64> said{};
  EXPECT_EQ(::read(program.out.get(), said.data(), said.size()), 5);
  EXPECT_STREQ(said.data(), "blue\n");
  pollfd end{program.container.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 0), 0);
  life.write.reset();
  EXPECT_EQ(::poll(&end, 1, 10'000), 1);
}

TEST_F(Registry, GivesAnInputThatIsReadOnceToOne) {
  auto once = Pipe::create();
  registry_.add("default", "web");
  registry_.put(kWeb, {.runs = true, .in = std::move(once.write), .in_once = true, .terminal = true});
  {
    const auto first = registry_.attach(kWeb);
    EXPECT_TRUE(first.in && first.terminal);
  }
  EXPECT_FALSE(registry_.attach(kWeb).in);
  char none = 0;
  EXPECT_EQ(::read(once.read.get(), &none, 1), 0) << "its end came with the end of the first";
}

TEST_F(Registry, GivesAnInputToEachUntilItsProgramEnds) {
  auto in = Pipe::create();
  registry_.add("default", "web");
  registry_.put(kWeb, {.runs = true, .in = std::move(in.write)});
  EXPECT_TRUE(registry_.attach(kWeb).in);
  EXPECT_TRUE(registry_.attach(kWeb).in);
  registry_.ended(kWeb);
  pollfd end{in.read.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 0), 1) << "nobody holds it any more";
}

}  // namespace
}  // namespace knetsim::kubelet
