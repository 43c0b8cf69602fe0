// What is logged of other people's leases stays small.
#include "../complaints.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

namespace knetsim::flannel {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class ComplaintsOf : public testing::Test {
 public:
  ~ComplaintsOf() override { spdlog::set_default_logger(before_); }

 protected:
  ComplaintsOf() {
    auto logger =
        std::make_shared<spdlog::logger>("complaints", std::make_shared<spdlog::sinks::ostream_sink_st>(log_));
    logger->set_pattern("%v");
    spdlog::set_default_logger(std::move(logger));
  }

  std::string log() const { return log_.str(); }

  Complaints complaints;
  const Complaints::Clock::time_point now = Complaints::Clock::now();

 private:
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream log_;
};

TEST_F(ComplaintsOf, OneThingAreSaidOnceUntilTheyChange) {
  complaints.say("a", "a is odd");
  complaints.say("a", "a is odd");
  complaints.say("b", "b is odd");
  complaints.say("a", "a is odder");
  complaints.forget("a");
  complaints.say("a", "a is odder");
  EXPECT_EQ(log(), "a is odd\nb is odd\na is odder\na is odder\n");
}

TEST_F(ComplaintsOf, TenThousandThingsAreAFewLines) {
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 10'000; ++i) complaints.say(fmt::format("{}", i), fmt::format("{} is odd", i), now);
  EXPECT_EQ(std::ranges::count(log(), '\n'), 50);
  complaints.say("next", "next is odd", now + 2s);
  EXPECT_THAT(log(), HasSubstr("next is odd (9950 more such lines were left out)"));
}

TEST_F(ComplaintsOf, ALongKeyAreALine) {
  const std::string key(1'500'000, 'k');
  complaints.say(key, "odd\n" + key);
  complaints.say(key, "odd\n" + key);
  EXPECT_THAT(log(), HasSubstr("odd?kkk"));
  EXPECT_LT(log().size(), 500U);
}

}  // namespace
}  // namespace knetsim::flannel
