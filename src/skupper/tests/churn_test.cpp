// Links, routers and services come and go at random; once it is quiet, every router knows exactly what there is.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>

#include "network.h"
#include "wire/address.h"

namespace knetsim::skupper::routing {
namespace {

using namespace std::chrono_literals;

const std::array<std::string, 6> kRouters{"a", "b", "c", "d", "e", "f"};
const std::array<std::string, 3> kServices{"Msvc1:1", "Msvc2:2", "Msvc3:3"};

class Churn : public testing::TestWithParam<unsigned> {
 protected:
  const std::string& any_router() { return kRouters.at(random_() % kRouters.size()); }

  void change_something() {
    const auto& a = any_router();
    const auto& b = any_router();
    const auto what = random_() % 10;
    if (what == 0 && network_.has(a)) {
      network_.stop(a);
      std::erase_if(services_, [&](const auto& service) { return service.first == a; });
    } else if (!network_.has(a)) {
      network_.start(a);
    } else if (what < 6) {
      change_link(a, b);
    } else {
      change_service(a, kServices.at(random_() % kServices.size()));
    }
  }

  void change_link(const std::string& a, const std::string& b) {
    if (a == b || !network_.has(b)) return;
    if (!network_.connected(a, b))
      network_.connect(a, b, 1 + static_cast<std::int64_t>(random_() % 3));
    else if (random_() % 3 == 0)
      network_.cut(a, b);
    else
      network_.disconnect(a, b);
  }

  void change_service(const std::string& router, const std::string& key) {
    if (services_.erase({router, key}) > 0) {
      network_.router(router).remove_consumer(key);
    } else {
      network_.router(router).add_consumer(key);
      services_.emplace(router, key);
    }
  }

  /// Routers that are joined, over whatever ways. Two-way neighbours are what the engines themselves say: a wire that
  /// was cut has aged by now.
  std::set<std::string> reachable_from(const std::string& start) {
    std::set<std::string> found{start};
    std::vector<std::string> open{start};
    while (!open.empty()) {
      const auto at = open.back();
      open.pop_back();
      for (const auto& other : kRouters)
        if (other != at && network_.has(other) && network_.alive(at, other) && found.insert(other).second)
          open.push_back(other);
    }
    return found;
  }

  std::mt19937 random_{GetParam()};
  Network network_;
  std::set<std::pair<std::string, std::string>> services_;
};

TEST_P(Churn, LeavesNothingStaleAndNothingUnknown) {
  for (const auto& id : kRouters) network_.start(id);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 12; ++i) {
      change_something();
      network_.run(std::chrono::milliseconds(random_() % 30));
    }
    network_.run(8s);
    for (const auto& at : kRouters) {
      if (!network_.has(at)) continue;
      const auto reachable = reachable_from(at);
      for (const auto& other : kRouters)
        EXPECT_EQ(!network_.route(at, other).empty(), other != at && reachable.contains(other))
            << fmt::format("round {}: {} to {}", round, at, other);
      for (const auto& key : kServices) {
        std::set<std::string> expected;
        for (const auto& [router, service] : services_)
          if (service == key && router != at && reachable.contains(router)) expected.insert(router);
        std::set<std::string> known;
        if (const auto* consumers = network_.router(at).table().consumers(key))
          for (const auto& remote : consumers->remote) known.insert(remote.router);
        EXPECT_EQ(known, expected) << fmt::format("round {}: {} at {}", round, key, at);
      }
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Churn, testing::Range(1U, 11U));

}  // namespace
}  // namespace knetsim::skupper::routing
