// From what a test leaves as its reason to one sentence. What GoogleTest says is taken from the installed GoogleTest:
// each assertion really fails.
#include "knetsim/sys/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace knetsim {
namespace {

/// The message of the first failure of these assertions.
std::string message_of(const std::function<void()>& assertions) {
  testing::TestPartResultArray results;
  {
    const testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    assertions();
  }
  return results.size() > 0 ? results.GetTestPartResult(0).message() : "";
}

struct Row {
  const char* kind;
  std::function<void()> assertions;
  std::string sentence;
};

struct Phone {
  virtual ~Phone() = default;
  virtual void ring(int times) = 0;
};
struct MockPhone : Phone {
  MOCK_METHOD(void, ring, (int times), (override));
};

MATCHER_P(CanReach, address, "") {
  static_cast<void>(arg);
  *result_listener << "in short: w1 can't reach " << address << ": no route\nthe routes of w1:\n  (none)";
  return !std::string(address).starts_with("10.");
}

testing::AssertionResult reachable(const std::string& name) {
  return testing::AssertionFailure() << name << " doesn't answer";
}

bool shorter(const std::string& text, std::size_t length) { return text.size() < length; }

const std::string kOut = "10.0.0.3\n";
const std::vector<int> kNumbers{1, 2};
constexpr bool kUp = false;
constexpr int kThree = 3;

std::optional<std::string> exchange() { return "no answer from 11.10.0.2:80 within 5000 ms"; }
void throws() { throw std::runtime_error("no route\n  remedy: add one"); }
void quiet() {}

// NOLINTBEGIN(cppcoreguidelines-avoid-goto,hicpp-avoid-goto): it is GoogleTest's
const std::vector<Row>& assertions() {
  static const std::vector<Row> rows{
      {"equality", [] { EXPECT_EQ(kOut, "10.0.0.4\n"); }, R"(kOut is "10.0.0.3\n", not "10.0.0.4\n")"},
      {"equality, the literal first", [] { EXPECT_EQ(4, kThree); }, "kThree is 3, not 4"},
      {"equality of two values", [] { EXPECT_EQ(kThree, kNumbers[0]); }, "kThree is 3, not 1"},
      {"equality of literals", [] { EXPECT_EQ(1, 2); }, "1 is not 2"},
      {"equality with a message", [] { EXPECT_EQ(kThree, 4) << "of w1"; }, "of w1: kThree is 3, not 4"},
      {"equality of long texts", [] { EXPECT_EQ(std::string("a\nb\nc\n"), std::string("a\nx\nc\n")) << "the log"; },
       R"(the log: std::string("a\nb\nc\n") is "a\nb\nc\n", not "a\nx\nc\n")"},
      {"trouble", [] { EXPECT_EQ(exchange(), std::nullopt); }, "no answer from 11.10.0.2:80 within 5000 ms"},
      {"C strings", [] { EXPECT_STREQ(kOut.c_str(), "a"); }, R"(kOut.c_str() is "10.0.0.3\n", not "a")"},
      {"C strings without case", [] { EXPECT_STRCASEEQ(kOut.c_str(), "a") << "w1"; },
       R"(w1: kOut.c_str() is "10.0.0.3\n", not "a")"},
      {"C strings that differ", [] { EXPECT_STRNE("a", "a"); }, R"(expected ("a") != ("a"), got "a" vs "a")"},
      {"floating point", [] { EXPECT_DOUBLE_EQ(kThree + 0.5, 4); }, "kThree + 0.5 is 3.5, not 4"},
      {"nearness", [] { EXPECT_NEAR(kThree, 5, 1); },
       "The difference between kThree and 5 is 2, which exceeds 1, where "
       "kThree evaluates to 3, 5 evaluates to 5, and 1 evaluates to 1."},
      {"inequality", [] { EXPECT_NE(kThree, 3); }, "expected (kThree) != (3), got 3 vs 3"},
      {"order", [] { EXPECT_LT(kThree, 2) << "of w1"; }, "of w1: expected (kThree) < (2), got 3 vs 2"},
      {"truth", [] { EXPECT_TRUE(kUp); }, "kUp is false, not true"},
      {"falsehood", [] { EXPECT_FALSE(kThree == 3) << "w1"; }, "w1: kThree == 3 is true, not false"},
      {"truth with its own words", [] { EXPECT_TRUE(reachable("w1")); },
       R"(reachable("w1") is false (w1 doesn't answer), not true)"},
      {"predicate", [] { EXPECT_PRED2(shorter, kOut, 3U); },
       R"(shorter(kOut, 3U) evaluates to false, where kOut evaluates to "10.0.0.3\n" 3U evaluates to 3)"},
      {"matcher", [] { EXPECT_THAT(kOut, testing::HasSubstr("10.0.0.4")); },
       R"(expected: has substring "10.0.0.4"; got: "10.0.0.3\n")"},
      {"matcher that explains", [] { EXPECT_THAT(kNumbers, testing::SizeIs(3)); },
       "expected: size is equal to 3; got: { 1, 2 }, whose size 2 doesn't match"},
      {"matcher with its own sentence", [] { EXPECT_THAT(kThree, CanReach("10.0.0.4")); },
       "w1 can't reach 10.0.0.4: no route"},
      {"matcher within another", [] { EXPECT_THAT(kNumbers, testing::Each(CanReach("10.0.0.4"))); },
       "w1 can't reach 10.0.0.4: no route"},
      {"no exception", [] { EXPECT_THROW(quiet(), std::runtime_error); },
       "expected that quiet() throws an exception of type std::runtime_error, but it throws nothing"},
      {"another exception", [] { EXPECT_THROW(throws(), std::logic_error); },
       R"(expected that throws() throws an exception of type std::logic_error, but it throws std::runtime_error with )"
       R"(description "no route")"},
      {"an exception", [] { EXPECT_NO_THROW(throws()); },
       R"(expected that throws() doesn't throw an exception, but it throws std::runtime_error with description "no route")"},
      {"any exception", [] { EXPECT_ANY_THROW(quiet()); }, "expected that quiet() throws an exception, but it doesn't"},
      {"failure", [] { ADD_FAILURE() << "w1: flanneld ended\nits log ends with\n  bye"; }, "w1: flanneld ended"},
      {"failure without a word", [] { ADD_FAILURE(); }, "Failed"},
      {"call that is missing",
       [] {
         MockPhone phone;
         EXPECT_CALL(phone, ring(2));
         testing::Mock::VerifyAndClearExpectations(&phone);
       },
       "EXPECT_CALL(phone, ring(2)): expected to be called once, got never called - unsatisfied and active"},
      {"call too many",
       [] {
         MockPhone phone;
         EXPECT_CALL(phone, ring(2));
         phone.ring(2);
         phone.ring(2);
       },
       "called more often than expected: ring(2)"},
      {"call of another kind",
       [] {
         testing::StrictMock<MockPhone> phone;
         phone.ring(1);
       },
       "Uninteresting mock function call - returning directly."},
      {"trace",
       [] {
         SCOPED_TRACE("with builtin flanneld");
         EXPECT_EQ(kThree, 4);
       },
       "kThree is 3, not 4"},
  };
  return rows;
}
// NOLINTEND(cppcoreguidelines-avoid-goto,hicpp-avoid-goto)

TEST(FailureSentence, OfEachKindOfAssertionJoinsExpectedAndActual) {
  for (const auto& row : assertions()) {
    const auto message = message_of(row.assertions);
    ASSERT_NE(message, "") << row.kind << " didn't fail";
    EXPECT_EQ(failure_sentence(message), row.sentence) << row.kind << ", from\n" << message;
  }
}

// What can't be made to fail within a test, as GoogleTest 1.12, ctest and our own programs word it.
TEST(FailureSentence, OfWhatEndsATest) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"C++ exception with description \"w1: can't boot: no etcd\n  remedy: apt-get install\" thrown in SetUp().",
       "w1: can't boot: no etcd"},
      {"C++ exception with description \"boom\" thrown in the test body.", "boom"},
      {"C++ exception with description \"\" thrown in the test body.",
       "C++ exception with description \"\" thrown in the test body."},
      {"Unknown C++ exception thrown in the test body.", "Unknown C++ exception thrown in the test body."},
      {"Skipped\nno flanneld", "no flanneld"},
      {"Death test: f()\n    Result: failed to die.\n Error msg:\n[  DEATH   ] ", "f(): failed to die"},
      {"Death test: f()\n    Result: died but not with expected error.\n  Expected: contains regular expression \"x\"\n"
       "Actual msg:\n[  DEATH   ] bye\n",
       "f(): died but not with expected error"},
      {"crashed: SEGFAULT; the end of its output:\n[ RUN      ] A.b\nlast words\n", "crashed: SEGFAULT"},
      {"crashed: Subprocess aborted; the end of its output:\nterminate called after throwing\n  what():  boom\n",
       "crashed: Subprocess aborted: what(): boom"},
      {"failed without leaving a result; the end of its output:\n"
       "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x602\n==7==ABORTING\n",
       "failed without leaving a result: ==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x602"},
      {"failed; the end of its output:\nTraceback (most recent call last):\nAssertionError: 1 != 2\n\nFAILED "
       "(failures=1)",
       "failed: AssertionError: 1 != 2"},
      {"hung: it was ended after 3.00 s; the end of its output:\nknetsim: the test hangs: not over after 3 s\n",
       "hung: it was ended after 3.00 s: knetsim: the test hangs: not over after 3 s"},
      {"killed by SIGABRT\nthe end of what it printed:\n  Assertion `x' failed.\n",
       "killed by SIGABRT: Assertion `x' failed."},
      {"", "it says nothing"},
      {"\n \n", "it says nothing"},
      {"one\ttwo\x1b[31m\r\nthree", "one two[31m"},
      {"Expected equality of these values:", "Expected equality of these values:"},
      {"Expected equality of these values:\n  a\n", "Expected equality of these values:"},
      {"Value of: x", "Value of: x"},
      {"in short: ", "in short:"},
      {"Failed\nthe cause: w1 flanneld ended (killed by SIGKILL)\nits log", "w1 flanneld ended (killed by SIGKILL)"},
      {"the cause: the cause: ", "it says nothing"}};
  for (const auto& [message, sentence] : rows) EXPECT_EQ(failure_sentence(message), sentence) << message;
}

TEST(FailureSentence, IsOfTheReasonThatExplainsTheOthers) {
  struct Reason {
    std::string text;
  };
  EXPECT_EQ(telling_reason(std::vector<Reason>{{"1 is not 2"}, {"3 is not 4"}}), "1 is not 2");
  EXPECT_EQ(telling_reason(std::vector<Reason>{{"1 is not 2"}, {"the cause: w1 etcd ended"}}),
            "the cause: w1 etcd ended");
}

TEST(FailureSentence, IsOneLineWithinItsLengthWhateverItIsGiven) {
  for (const auto& row : assertions()) {
    const auto message = message_of(row.assertions);
    for (std::size_t length = 0; length <= message.size(); ++length) {
      const auto sentence = failure_sentence(std::string_view(message).substr(0, length), 40);
      EXPECT_LE(sentence.size(), 40 + std::string_view("…").size()) << row.kind;
      EXPECT_EQ(sentence.find('\n'), std::string::npos) << row.kind;
      EXPECT_NE(sentence, "") << row.kind;
    }
  }
  EXPECT_EQ(failure_sentence(std::string(1'000'000, 'x'), 5), "xxxxx…");
  EXPECT_EQ(failure_sentence("äöü", 3), "ä…");
}

TEST(FailureCause, ForgetsWhatDiffersFromRunToRun) {
  const std::vector<std::pair<std::string, std::string>> same{
      {"w1/c1 can't ping 11.10.144.2: 1 sent, 0 received", "w1/c1 can't ping 11.13.0.2: 1 sent, 0 received"},
      {"can't connect to 10.0.0.3:40112: refused", "can't connect to 10.0.0.4:9: refused"},
      {"no route to fd00:1::2/64", "no route to fd00:1::3/64"},
      {"hung: it was ended after 48.0 s", "hung: it was ended after 3.00 s"},
      {"process 12 ended", "process 345 ended"},
      {"==12==ERROR: LeakSanitizer", "==13==ERROR: LeakSanitizer"},
      {"no neighbour 02:42:ac:11:00:02", "no neighbour 02:42:ac:11:00:03"}};
  for (const auto& [one, other] : same) EXPECT_EQ(failure_cause(one), failure_cause(other));
  const std::vector<std::pair<std::string, std::string>> different{
      {"w1/c1 can't ping 11.10.144.2: 1 sent, 0 received", "w2/c1 can't ping 11.10.144.2: 1 sent, 0 received"},
      {"x is 1, not 2", "x is 1, not 3"},
      {"w1: no etcd", "w1: no flanneld"}};
  for (const auto& [one, other] : different) EXPECT_NE(failure_cause(one), failure_cause(other));
}

}  // namespace
}  // namespace knetsim
