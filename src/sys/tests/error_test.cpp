// Errors say where, what was tried, what the answer was, and what to do.
#include "knetsim/sys/error.h"

#include <gmock/gmock.h>

#include <cerrno>

namespace knetsim {
namespace {

TEST(Error, PutsAllPartsOfADiagnosisIntoOneText) {
  EXPECT_EQ(describe({.where = "C0w1", .tried = "create eth0", .answer = "File exists", .remedy = "delete it"}),
            "C0w1: can't create eth0: File exists\n  remedy: delete it");
}

struct Partial {
  const char* description;
  Diagnosis diagnosis;
  std::string text;
};

class PartialDiagnosis : public testing::TestWithParam<Partial> {};

TEST_P(PartialDiagnosis, LeavesOutWhatIsEmpty) { EXPECT_EQ(describe(GetParam().diagnosis), GetParam().text); }

INSTANTIATE_TEST_SUITE_P(
    Table, PartialDiagnosis,
    testing::Values(Partial{"Nothing", {}, ""},  //
                    Partial{"TriedAlone", {.where = {}, .tried = "fork", .answer = {}, .remedy = {}}, "can't fork"},
                    Partial{"AnswerAlone", {.where = {}, .tried = {}, .answer = "no", .remedy = {}}, "no"},
                    Partial{"WhereAndAnswer", {.where = "w1", .tried = {}, .answer = "no", .remedy = {}}, "w1: no"},
                    Partial{"WithoutWhere",
                            {.where = {}, .tried = "fork", .answer = "no", .remedy = "wait"},
                            "can't fork: no\n  remedy: wait"}),
    [](const auto& instance) { return instance.param.description; });

TEST(SystemError, KeepsTheNumberAndSpellsItOut) {
  errno = EEXIST;
  const SystemError error("create the bridge", "C0w1");
  EXPECT_EQ(error.error(), EEXIST);
  EXPECT_STREQ(error.what(), "C0w1: can't create the bridge: File exists (EEXIST)");
}

TEST(SystemError, PutsTheKernelsOwnWordsBehindTheNumber) {
  const SystemError error(EINVAL, {.where = {}, .tried = "set mtu", .answer = "mtu less than minimum", .remedy = {}});
  EXPECT_STREQ(error.what(), "can't set mtu: Invalid argument (EINVAL): mtu less than minimum");
}

TEST(SystemError, DoesNotFailOnANumberThatNobodyKnows) { EXPECT_EQ(errno_text(54321), "unknown error (54321)"); }

TEST(InputError, IsCaughtAsAnyOtherErrorOfTheProject) { EXPECT_THROW(throw InputError("bad"), Error); }

}  // namespace
}  // namespace knetsim
