// Processes: programs started without a shell, in their own session, killed with their owner.
#include "knetsim/sys/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <thread>

#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

const std::filesystem::path kLog = std::filesystem::path(kStateDirectory) / "test.log";

TEST(Exec, ReturnsWhatTheProgramPrintedOnBothStreamsAndItsExitCode) {
  const auto result = exec({.argv = {"bash", "-c", "echo out; echo err >&2; exit 3"}});
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.status.code(), 3);
  EXPECT_FALSE(result.ok());
}

TEST(Exec, HandsItsInputToTheProgram) {
  const std::string input(1'000'000, 'x');
  EXPECT_EQ(exec({.argv = {"cat"}}, kExecTimeout, input).out, input);
}

TEST(Exec, SurvivesAProgramThatDoesNotReadItsInput) {
  const auto result = exec({.argv = {"true"}}, kExecTimeout, std::string(1'000'000, 'x'));
  EXPECT_TRUE(result.ok());
}

TEST(Exec, KillsTheWholeProcessGroupWhenTheTimeoutEnds) {
  const auto result = exec({.argv = {"bash", "-c", "sleep 1000 & echo $!; wait"}}, std::chrono::seconds(2));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.status.signal(), SIGKILL);
  const pid_t orphan = std::stoi(result.out);
  eventually([&]() -> std::optional<std::string> {
    return ::kill(orphan, 0) == 0 ? std::optional<std::string>("the end of the grandchild") : std::nullopt;
  });
}

TEST(Exec, KeepsAsMuchAsIsAskedForAndReadsOn) {
  const auto result = exec({.argv = {"sh", "-c", "head -c 3000000 /dev/zero; head -c 10 /dev/zero >&2; exit 3"}},
                           kExecTimeout, {}, 1000);
  EXPECT_EQ(result.status.code(), 3) << "it wasn't kept from writing";
  EXPECT_EQ(result.out.size(), 1000U);
  EXPECT_EQ(result.err.size(), 10U);
  EXPECT_TRUE(result.truncated);
  EXPECT_FALSE(exec({.argv = {"echo", "x"}}, kExecTimeout, {}, 2).truncated);
}

TEST(Exec, LooksAtTheClockWhileAProgramPrintsWithoutEnd) {
  for (const auto* script : {"exec yes", "echo y; echo y; yes & exit 0"}) {
    const auto begin = std::chrono::steady_clock::now();
    const auto result = exec({.argv = {"sh", "-c", script}}, std::chrono::milliseconds(300));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10)) << script;
    EXPECT_THAT(result.out, testing::StartsWith("y\ny\n")) << script;
  }
}

TEST(Exec, TellsASignalFromAnExitCode) {
  const auto result = exec({.argv = {"bash", "-c", "kill -SEGV $$"}});
  EXPECT_EQ(result.status.signal(), SIGSEGV);
  EXPECT_EQ(result.status.describe(), "killed by SIGSEGV");
}

TEST(Exec, PassesArgumentsUntouchedByAnyShell) {
  EXPECT_EQ(exec({.argv = {"printf", "%s", "$(reboot); `x` \"'\n"}}).out, "$(reboot); `x` \"'\n");
}

TEST(Exec, NamesThePackageOfAProgramThatIsMissing) {
  try {
    exec({.argv = {"conntrackd-that-is-not-there"}});
    FAIL() << "a missing program ran";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("conntrackd-that-is-not-there"));
    EXPECT_THAT(error.what(), HasSubstr("remedy"));
  }
}

TEST(Exec, SaysWhyAProgramCannotBeStarted) {
  const auto script = std::filesystem::path(kStateDirectory) / "script";
  std::ofstream(script) << "#!/nonexistent/interpreter\n";
  ::chmod(script.c_str(), 0755);
  try {
    exec({.argv = {script.string()}});
    FAIL() << "a script without an interpreter ran";
  } catch (const SystemError& error) {
    EXPECT_EQ(error.error(), ENOENT);
    EXPECT_THAT(error.what(), HasSubstr(script.string()));
  }
}

TEST(Exec, RunsInTheNamespaceAndTheDirectoryOfTheCommand) {
  const auto ns = NetNs::create();
  const auto result = exec({.argv = {"bash", "-c", "readlink /proc/self/ns/net; pwd; echo $HOME $EXTRA"},
                            .netns = &ns,
                            .directory = kStateDirectory,
                            .environment = {{"EXTRA", "yes"}}});
  EXPECT_EQ(result.out, "net:[" + std::to_string(ns.inode()) + "]\n/run/knetsim\n/run/knetsim yes\n");
}

struct Trusted {
  const char* name;
  Trust trust;
  const char* told;  // which of the variables of the test
  const char* bounding_set;
};

class GivenTrust : public testing::TestWithParam<Trusted> {};

TEST_P(GivenTrust, AProgramIsToldAndAllowedThisMuch) {
  const auto& [name, trust, told, bounding_set] = GetParam();
  for (const char* variable : {"CI_JOB_TOKEN", "PATHOLOGICAL", "TERM", "LC_ALL", "KNETSIM_MARK", "MY_OWN", "MY_OWNER"})
    ::setenv(variable, "C", 1);
  ::setenv("KNETSIM_ENV", "OTHER,MY_OWN", 1);
  const auto result =
      exec({.argv = {"bash", "-c",
                     "for v in CI_JOB_TOKEN PATHOLOGICAL TERM LC_ALL KNETSIM_MARK MY_OWN MY_OWNER GIVEN HOME; do "
                     "grep -qz ^$v= /proc/self/environ && echo -n \"$v \"; done; echo\n"
                     "grep CapBnd /proc/self/status | cut -f2"},
            .directory = kStateDirectory,
            .environment = {{"GIVEN", "yes"}},
            .trust = trust});
  EXPECT_EQ(result.out, std::string(told) + "GIVEN HOME \n" + bounding_set + "\n") << result.err;
}

INSTANTIATE_TEST_SUITE_P(
    Table, GivenTrust,
    testing::Values(Trusted{"Full", Trust::full, "CI_JOB_TOKEN PATHOLOGICAL TERM LC_ALL KNETSIM_MARK MY_OWN MY_OWNER ",
                            "00000000802c35fb"},
                    Trusted{"User", Trust::user, "TERM LC_ALL KNETSIM_MARK MY_OWN ", "00000000802c35fb"},
                    Trusted{"Pod", Trust::pod, "TERM LC_ALL KNETSIM_MARK MY_OWN ", "00000000000035fb"},
                    Trusted{"Daemon", Trust::daemon, "LC_ALL ", "00000000000035fb"}),
    [](const auto& instance) { return instance.param.name; });

TEST(Exec, KeepsTheCallersSettingsFromAProgramInANeutralEnvironment) {
  ::setenv("TOOL_ENDPOINTS", "http://elsewhere:2379", 1);
  ::setenv("TOOLBOX", "kept", 1);
  ::setenv("NO_PROXY", "example.org", 1);
  const auto result = exec(in_neutral_environment(
      {.argv = {"bash", "-c", "echo ${TOOL_ENDPOINTS-unset} $TOOL_GIVEN $TOOLBOX \"$NO_PROXY\" \"$no_proxy\""},
       .environment = {{"TOOL_GIVEN", "given"}}},
      "TOOL_"));
  for (const auto* name : {"TOOL_ENDPOINTS", "TOOLBOX", "NO_PROXY"}) ::unsetenv(name);
  EXPECT_EQ(result.out, "unset given kept * *\n");
}

TEST(Process, HasASessionOfItsOwn) {
  auto process = Process::spawn({.argv = {"sleep", "1000"}}, kLog);
  EXPECT_EQ(::getsid(process.pid()), process.pid());
  EXPECT_NE(::getsid(process.pid()), ::getsid(0));
}

TEST(Process, DiesWithItsOwner) {
  pid_t pid = 0;
  {
    auto process = Process::spawn({.argv = {"sleep", "1000"}}, kLog);
    pid = process.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(Process, KeepsItsLogAndShowsTheEndOfIt) {
  auto process = Process::spawn({.argv = {"bash", "-c", "for i in 1 2 3; do echo line $i; done; echo bad >&2"}}, kLog);
  EXPECT_TRUE(process.wait(milliseconds(5000)).success());
  EXPECT_EQ(process.log_tail(2), "    line 3\n    bad");
  EXPECT_EQ(read_file(kLog), "line 1\nline 2\nline 3\nbad\n");
}

TEST(Process, RefusesALogBehindASymlink) {
  ASSERT_EQ(::symlink("/run/knetsim/elsewhere", kLog.c_str()), 0);
  EXPECT_THROW(Process::spawn({.argv = {"true"}}, kLog), SystemError);
  EXPECT_FALSE(std::filesystem::exists("/run/knetsim/elsewhere"));
}

TEST(Process, IsAskedToEndBeforeItIsKilled) {
  // Waits for the signal itself: bash would miss one that comes just before it goes to sleep.
  auto polite = Process::spawn({.argv = {"python3", "-c",
                                         "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {15}); "
                                         "print('ready', flush=True); signal.sigwait({15}); exit(7)"}},
                               kLog);
  wait_for_file(kLog, milliseconds(5000));
  EXPECT_EQ(polite.terminate().code(), 7);
}

TEST(Process, IsKilledWhenItDoesNotListen) {
  auto deaf = Process::spawn(
      {.argv = {"bash", "-c", "trap '' TERM; echo ready; while :; do read -t 1000 <> <(:); done"}}, kLog);
  wait_for_file(kLog, milliseconds(5000));
  EXPECT_EQ(deaf.terminate(milliseconds(50)).signal(), SIGKILL);
}

TEST(Process, WaitingForAnEndThatDoesNotComeSaysSo) {
  auto process = Process::spawn({.argv = {"sleep", "1000"}}, kLog);
  EXPECT_THROW(process.wait(milliseconds(20)), StillMissing);
}

TEST(Process, DoesNotInheritDescriptors) {
  const auto pipe = Pipe::create();
  const auto result = exec({.argv = {"ls", "/proc/self/fd"}});
  EXPECT_EQ(result.out, "0\n1\n2\n3\n") << "3 is the directory that ls reads";
}

TEST(Child, KeepsOpenWhatItIsToldToAlone) {
  auto output = Pipe::create();
  const auto kept = Pipe::create();
  const auto other = Pipe::create();
  auto child =
      Child::launch({.argv = {"ls", "/proc/self/fd"}}, kept.read, output.write, output.write, {.kept = {kept.write}});
  output.write.reset();
  std::string listed(4096, '\0');
  EXPECT_TRUE(child.wait(std::chrono::seconds(10)).success());
  listed.resize(static_cast<std::size_t>(::read(output.read.get(), listed.data(), listed.size())));
  const auto line = [](const Fd& fd) { return "\n" + std::to_string(fd.get()) + "\n"; };
  EXPECT_THAT(listed, HasSubstr(line(kept.write)));
  EXPECT_THAT(listed, Not(HasSubstr(line(other.write))));
}

TEST(Child, EndsWithTheThreadThatStartedItIfAsked) {
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::optional<Child> mortal;
  std::optional<Child> other;
  std::thread([&] {
    mortal.emplace(Child::launch({.argv = {"sleep", "60"}}, null, null, null, {.dies_with_caller = true}));
    other.emplace(Child::launch({.argv = {"sleep", "60"}}, null, null, null));
  }).join();
  EXPECT_EQ(mortal->wait(std::chrono::seconds(10)).signal(), SIGKILL);
  EXPECT_EQ(other->status(), std::nullopt);
}

}  // namespace
}  // namespace knetsim
