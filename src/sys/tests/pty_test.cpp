// Programs on a pseudo terminal: what is typed, what is seen, and whom Ctrl-C reaches.
#include "knetsim/sys/pty.h"

#include <gmock/gmock.h>

#include <csignal>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;

// A shell as Mininet gives it to its nodes: interactive, its line editing off, a prompt that can be waited for.
PtyProcess shell() {
  auto bash = PtyProcess::spawn({.argv = {"bash", "--norc", "--noprofile", "--noediting", "-i"},
                                 .directory = kStateDirectory,
                                 .environment = {{"PS1", "ready> "}, {"HISTFILE", "/dev/null"}}});
  bash.expect("ready> ");
  return bash;
}

TEST(Pty, IsTheControllingTerminalOfTheProgram) {
  auto process = PtyProcess::spawn({.argv = {"bash", "-c", "tty </dev/tty; ps -o sid=,pgid=,tpgid= -p $$"}});
  const auto output = process.expect(std::regex("(\\d+) +(\\d+) +(\\d+)\r\n"));
  const auto pid = std::to_string(process.pid());
  EXPECT_THAT(output, HasSubstr("/dev/"));
  EXPECT_THAT(output, testing::ContainsRegex(pid + " +" + pid + " +" + pid));
  EXPECT_TRUE(process.wait().success());
}

TEST(Pty, ShowsWhatTheProgramPrintsUpToWhatWasExpected) {
  auto process = PtyProcess::spawn({.argv = {"bash", "-c", "echo one; echo two; echo three"}});
  EXPECT_EQ(process.expect("two"), "one\r\ntwo");
  EXPECT_EQ(process.expect("three\r\n"), "\r\nthree\r\n");
}

TEST(Pty, TypesToTheProgram) {
  auto process = PtyProcess::spawn({.argv = {"bash", "-c", "read line; echo got $line"}});
  process.write("hello\n");
  EXPECT_THAT(process.expect("got hello"), HasSubstr("hello\r\n")) << "what is typed is echoed";
  EXPECT_TRUE(process.wait().success());
}

TEST(Pty, DoesNotEchoWhenToldNotTo) {
  auto process = PtyProcess::spawn({.argv = {"bash", "-c", "read line; echo got $line"}}, {.echo = false});
  process.write("secret\n");
  EXPECT_EQ(process.expect("got secret"), "got secret");
}

TEST(Pty, HandsOnEveryByteWhenRaw) {
  auto process = PtyProcess::spawn({.argv = {"bash", "-c", "head -c4 | od -An -tx1"}}, {.echo = false, .raw = true});
  process.write("\x03\x04\r\x1a");
  process.expect("03 04 0d 1a");
}

TEST(Pty, TellsTheProgramItsSize) {
  auto process = PtyProcess::spawn({.argv = {"bash", "-c", "trap 'stty size; exit' WINCH; stty size; read -t 60 line"}},
                                   {.rows = 50, .columns = 132});
  process.expect("50 132");
  process.resize(20, 70);
  process.expect("20 70");
}

TEST(Pty, EndsAProgramWithCtrlC) {
  auto process = PtyProcess::spawn({.argv = {"sleep", "1000"}});
  process.write("\x03");
  EXPECT_EQ(process.wait().signal(), SIGINT);
}

TEST(Pty, EndsTheInputWithCtrlD) {
  auto process = PtyProcess::spawn({.argv = {"cat"}});
  process.write("x\n\x04");
  EXPECT_TRUE(process.wait().success());
  EXPECT_EQ(process.rest(), "x\r\nx\r\n");
}

// The mechanism of "pinging shuts flannel down": without job control a background program shares the terminal's
// foreground process group, and Ctrl-C at the prompt is for all of it.
constexpr const char* kDaemon = R"(#!/usr/bin/python3
import signal, sys
def stop(*_):
    print('Exiting...', flush=True)
    sys.exit()
signal.signal(signal.SIGINT, stop)
print('up', flush=True)
while True:
    signal.pause()
)";

TEST(Pty, DeliversCtrlCAtThePromptToBackgroundProgramsWithoutJobControl) {
  auto bash = shell();
  write_file_atomically("/run/knetsim/daemon", kDaemon, 0755);
  bash.write("set +m\n");
  bash.expect("ready> ");
  bash.write("nohup ./daemon >shared.log 2>&1 &\n");
  bash.expect("ready> ");
  bash.write("setsid ./daemon >own.log 2>&1 &\n");
  bash.expect("ready> ");
  wait_for_file("/run/knetsim/shared.log", kDefaultBudget);
  wait_for_file("/run/knetsim/own.log", kDefaultBudget);

  bash.write("\x03");
  bash.expect("ready> ");
  eventually([]() -> std::optional<std::string> {
    return read_file("/run/knetsim/shared.log").find("Exiting...") == std::string::npos
               ? std::optional<std::string>("the end of the daemon in the shell's process group")
               : std::nullopt;
  });
  EXPECT_THAT(read_file("/run/knetsim/own.log"), Not(HasSubstr("Exiting...")));
}

TEST(Pty, SaysWhatWasSeenInsteadOfWhatWasExpected) {
  auto process = PtyProcess::spawn({.argv = {"bash", "-c", "echo hello; printf '\\a'; sleep 1000"}});
  process.expect("hello");
  try {
    process.expect("goodbye", std::chrono::seconds(2));
    FAIL() << "a farewell was seen";
  } catch (const StillMissing& error) {
    EXPECT_THAT(error.what(), HasSubstr("still missing: \"goodbye\" on the terminal"));
    EXPECT_THAT(error.what(), HasSubstr("\\x07")) << "control characters are spelled out";
    EXPECT_THAT(error.what(), Not(HasSubstr("hello"))) << "that was matched already";
  }
}

TEST(Pty, DoesNotWaitForAProgramThatHasEnded) {
  auto process = PtyProcess::spawn({.argv = {"bash", "-c", "echo failed; exit 3"}});
  const auto start = steady_clock::now();
  try {
    process.expect("prompt> ", milliseconds(60'000));
    FAIL() << "a prompt was seen";
  } catch (const StillMissing& error) {
    EXPECT_THAT(error.what(), HasSubstr("a program that has ended (exit code 3)"));
    EXPECT_THAT(error.what(), HasSubstr("failed"));
  }
  EXPECT_LT(steady_clock::now() - start, milliseconds(30'000));
}

TEST(Pty, SeesTheOutputOfAProgramThatEndsAtOnce) {
  for (int i = 0; i < 50; ++i) {
    auto process = PtyProcess::spawn({.argv = {"echo", "last words"}});
    EXPECT_EQ(process.expect("words\r\n"), "last words\r\n");
  }
}

TEST(Pty, TakesMoreOutputThanATerminalBuffers) {
  auto process = PtyProcess::spawn({.argv = {"bash", "-c", "head -c 200000 /dev/zero | tr '\\0' x; echo end"}});
  EXPECT_EQ(process.expect("end").size(), 200'003U);
  auto unread = PtyProcess::spawn({.argv = {"bash", "-c", "head -c 200000 /dev/zero | tr '\\0' x"}});
  EXPECT_TRUE(unread.wait().success()) << "wait() reads what nobody expects";
}

TEST(Pty, DiesWithItsOwner) {
  pid_t pid = 0;
  {
    auto process = PtyProcess::spawn({.argv = {"bash", "-c", "trap '' HUP; echo up; sleep 1000"}});
    process.expect("up");
    pid = process.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(Pty, NamesAProgramThatIsMissing) { EXPECT_THROW(PtyProcess::spawn({.argv = {"no-such-program"}}), InputError); }

}  // namespace
}  // namespace knetsim
