// explain names place and cause of what is broken, and nothing where nothing is.
//
// Topology: pair.json; c1 on w1, c2 and c3 on w2.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cctype>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <utility>

#include "explain_breakages.h"
#include "knetsim/apiserver/client.h"
#include "knetsim/emulator/cluster_api.h"
#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/explaining.h"
#include "knetsim/fixtures/golden.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/netlink/conntrack.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/failure.h"
#include "knetsim/sys/process.h"

namespace knetsim::suites {
namespace {

using explain::Disposition;
using explain::Protocol;
using explain::Way;
using fixtures::at;
using fixtures::because;
using fixtures::IsDelivered;
using fixtures::IsLost;
using fixtures::on_the;
using nlohmann::json;
namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::chrono::milliseconds kQuick{200};

class Explain : public fixtures::EmulationTest {
 protected:
  void SetUp() override { boot(fixtures::topology("pair.json")); }

  Container& c1() { return worker("w1").container("c1"); }
  Container& c2() { return worker("w2").container("c2"); }
  Container& c3() { return worker("w2").container("c3"); }
  Address vip() { return parse_address("100.64.10.1"); }

  static std::string nft(const Node& node, const std::vector<std::string>& arguments) {
    std::vector<std::string> argv{"nft"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto result = node.exec(std::move(argv));
    if (!result.ok()) throw Error(node.name() + ": " + result.err);
    return result.out;
  }
};

struct Planted {
  std::size_t row;
  unsigned variant;
};

/// KNETSIM_SEED repeats what a run has printed; else each variant of a row has a seed of its own.
unsigned seed_of(const Planted& planted) {
  const char* given = std::getenv("KNETSIM_SEED");
  if (given != nullptr) return static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  return static_cast<unsigned>(planted.row) * 10 + planted.variant;
}

void PrintTo(const Planted& planted, std::ostream* out) { *out << breakages().at(planted.row).name; }

class ExplainBreakage : public Explain, public testing::WithParamInterface<Planted> {};

TEST_P(ExplainBreakage, IsNamedAndItsHarmlessTwinIsNot) {
  const auto& breakage = breakages().at(GetParam().row);
  const auto seed = seed_of(GetParam());
  std::mt19937 random(seed);
  auto scene = scene_of(emulation(), breakage, random);
  std::cout << "KNETSIM_SEED=" << seed << ": " << scene.client.name() << " -> " << scene.server.name() << ", "
            << name_of(scene.protocol) << (scene.back ? ", the answers' way" : "") << '\n';
  breakage.twin(scene);
  ASSERT_THAT(explain::explain(emulation(), scene.question()), IsDelivered()) << "the harmless twin";
  const auto verdict = breakage.plant(scene);
  const auto told = explain::explain(emulation(), scene.question());
  std::cout << verdict_line(told) << " (" << told.milliseconds << " ms)\n";
  EXPECT_THAT(told, IsLost(at(verdict.place), because(breakage.disposition), on_the(verdict.way)));
  EXPECT_THAT(told.remedy, HasSubstr(std::string(breakage.remedy)));
  EXPECT_FALSE(told.intermittent()) << told.lost << " of " << told.probes;
  // What breakages end is meant to end.
  for (auto* worker : {&scene.near, &scene.far}) worker->flanneld().expect_end();
}

std::vector<Planted> all_planted() {
  std::vector<Planted> all;
  for (std::size_t row = 0; row < breakages().size(); ++row)
    for (unsigned variant = 1; variant <= 3; ++variant) all.push_back({row, variant});
  return all;
}

std::string name_of_planted(const testing::TestParamInfo<Planted>& info) {
  static constexpr std::array kVariants{"first", "second", "third"};
  return std::string(breakages().at(info.param.row).name) + "_" + kVariants.at(info.param.variant - 1);
}

INSTANTIATE_TEST_SUITE_P(Rows, ExplainBreakage, testing::ValuesIn(all_planted()), name_of_planted);

/// "A server on loopback" of "AServerOnLoopback".
std::string in_words(std::string_view name) {
  std::string words;
  for (const char letter : name) {
    const bool upper = std::isupper(static_cast<unsigned char>(letter)) != 0;
    if (upper && !words.empty()) words += ' ';
    words += upper && !words.empty() ? static_cast<char>(std::tolower(static_cast<unsigned char>(letter))) : letter;
  }
  return words;
}

/// What the page says of a row: its first line, and the seconds that it took.
struct Said {
  std::string verdict;
  std::string seconds;
};

std::map<std::string, Said> said_on(const std::string& page) {
  static const std::regex kRow(R"(\| (.+) \| `(.+)` \| (\d\.\d\d) \|)");
  std::map<std::string, Said> said;
  std::istringstream lines(page);
  std::smatch found;
  for (std::string line; std::getline(lines, line);)
    if (std::regex_match(line, found, kRow)) said[found[1]] = {found[2], found[3]};
  return said;
}

/// The page that says this, as of that day.
std::string verdicts_page(const std::map<std::string, Said>& said, const std::string& day) {
  std::string page = fmt::format(
      "# What explain says of what is broken, and how fast\n\n"
      "Made by `suite-explain` (`KNETSIM_UPDATE_GOLDEN=1` writes it anew), last on {}, on 2 cores: the first of each\n"
      "row's three places, its first line, and the seconds from the question to the verdict. "
      "[explain.md](explain.md) says what each row's harmless twin is.\n\n"
      "| what is broken | what it says | seconds |\n|---|---|---|\n",
      day);
  for (const auto& breakage : breakages()) {
    const auto found = said.find(in_words(breakage.name));
    const auto row = found == said.end() ? Said{"not tried", "-"} : found->second;
    page += fmt::format("| {} | `{}` | {} |\n", in_words(breakage.name), row.verdict, row.seconds);
  }
  return page;
}

/// What the breakage's own test prints, in a process of its own.
Said say(const Breakage& breakage) {
  static const std::regex kLine(R"(\n(LOST .+) \(([\d.]+) ms\)\n)");
  const auto ran = exec({.argv = {fs::read_symlink("/proc/self/exe").string(),
                                  fmt::format("--gtest_filter=*.*/{}_first", breakage.name)}},
                        std::chrono::minutes(1));
  std::smatch found;
  if (!ran.ok() || !std::regex_search(ran.out, found, kLine)) throw Error(ran.out + ran.err);
  return {found[1], fmt::format("{:.2f}", std::stod(found[2]) / 1'000)};
}

std::string today() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

TEST(ExplainVerdicts, AreThoseOnThePage) {
  const auto page = read_file(KNETSIM_VERDICTS_PAGE);
  auto said = said_on(page);
  std::smatch found;
  auto day = std::regex_search(page, found, std::regex(R"(last on (\d{4}-\d\d-\d\d))")) ? found[1].str() : today();
  if (std::getenv("KNETSIM_UPDATE_GOLDEN") != nullptr) {
    day = today();
    said.clear();
    for (const auto& breakage : breakages()) said[in_words(breakage.name)] = say(breakage);
  }
  expect_golden(KNETSIM_VERDICTS_PAGE, verdicts_page(said, day));
  for (const auto& breakage : breakages())
    EXPECT_THAT(said[in_words(breakage.name)].verdict, HasSubstr(std::string(word_of(breakage.disposition))))
        << breakage.name;
}

TEST_F(Explain, DeliversWhereNothingIsBroken) {
  const fixtures::EchoServer server(c2(), 7000);
  std::vector<const Node*> nodes{&worker("w1"), &worker("w2"), &c1(), &c2(), &c3()};
  for (const auto* from : nodes)
    for (const auto* to : nodes)
      if (from != to) {
        EXPECT_THAT(explain(*from, *to), IsDelivered()) << from->name() << " -> " << to->name();
      }
  for (const auto* from : nodes) {
    EXPECT_THAT(explain(*from, vip()), IsDelivered()) << from->name();
    if (from == &c2()) continue;
    EXPECT_THAT(explain(*from, c2().address(), Protocol::tcp, 7000), IsDelivered()) << from->name();
    EXPECT_THAT(explain(*from, c2().address(), Protocol::udp, 7000), IsDelivered()) << from->name();
  }
}

TEST_F(Explain, LeavesTheRulesetAsItWas) {
  std::vector<const Node*> nodes{&worker("w1"), &worker("w2"), &c1(), &c2()};
  const auto rules = [&] {
    std::string all;
    for (const auto* node : nodes) all += nft(*node, {"-s", "list", "ruleset"});
    return all;
  };
  const auto before = rules();
  ASSERT_THAT(explain(c1(), c2()), IsDelivered());
  EXPECT_EQ(rules(), before);
  explain::Options options;
  options.stop = [asked = 0]() mutable { return ++asked > 1; };
  EXPECT_THROW(explain::explain(emulation(), {.from = c1().name(), .to = c2().address(), .to_name = {}}, options),
               explain::Stopped);
  EXPECT_EQ(rules(), before) << "it was stopped in the middle";
}

TEST_F(Explain, TellsOfTrackedConnectionsAndForgetsThem) {
  const fixtures::EchoServer two(c2(), 7000);
  const fixtures::EchoServer three(c3(), 7000);
  ASSERT_FALSE(fixtures::tcp_exchange(c1(), vip(), 7000, 16));  // somebody else's
  const auto tracked = [&](const Node& node) {
    return netlink::Conntrack(node.netns()).list({.original_source = c1().address()}).size();
  };
  const std::vector<const Node*> nodes{&c1(), &worker("w1"), &worker("w2"), &c2(), &c3()};
  std::vector<std::size_t> before;
  for (const auto* node : nodes) before.push_back(tracked(*node));
  EXPECT_EQ(before[1], 1U);
  for (const auto protocol : {Protocol::tcp, Protocol::udp, Protocol::icmp}) {
    const auto told = explain(c1(), vip(), protocol, protocol == Protocol::icmp ? 0 : 7000);
    ASSERT_THAT(told, IsDelivered());
    EXPECT_THAT(to_text(told), HasSubstr(fmt::format("connection tracking: {} ", name_of(protocol))));
    for (std::size_t i = 0; i < nodes.size(); ++i) EXPECT_EQ(tracked(*nodes[i]), before[i]) << nodes[i]->name();
  }
}

TEST_F(Explain, DoesntMissAContainerThatGoesMeanwhile) {
  auto& doomed = worker("w2").create_container("c9");
  const explain::Question question{.from = c1().name(), .to = doomed.address(), .to_name = doomed.name()};
  explain::Options options;
  options.stop = [this, gone = false]() mutable {
    // A kubelet's way: who looks at it may go on with it.
    if (!std::exchange(gone, true)) worker("w2").retire_container("c9");
    return false;
  };
  EXPECT_THAT(explain::explain(emulation(), question, options), IsLost());
  worker("w2").bury_retired();
  EXPECT_THROW(explain::question_of(emulation(), "w1/c1", "w2/c9"), InputError);
}

TEST_F(Explain, TellsOfOlderFlowsToWhatHasGone) {
  const auto address = parse_address("198.51.100.9");
  const auto lead_to = [&](const Node& node) {
    nft(worker("w1"), {"flush chain ip nat prerouting"});
    nft(worker("w1"), {fmt::format("add rule ip nat prerouting ip daddr 198.51.100.9 udp dport 53 dnat to {}:7000",
                                   node.address().to_string())});
  };
  nft(worker("w1"), {"add table ip nat"});
  nft(worker("w1"), {"add chain ip nat prerouting { type nat hook prerouting priority dstnat; }"});
  auto& doomed = worker("w2").create_container("c9");
  lead_to(doomed);
  {
    const fixtures::EchoServer server(doomed, 7000);
    ASSERT_EQ(fixtures::udp_exchange(c1(), address, 53), std::nullopt);
    const auto told = explain(c1(), address, Protocol::udp, 53);
    EXPECT_THAT(told, IsDelivered());
    EXPECT_THAT(told.notes, Not(Contains(HasSubstr("older flow")))) << "it is still there";
  }
  const auto was = doomed.address().to_string();
  worker("w2").delete_container("c9");
  const fixtures::EchoServer server(c2(), 7000);
  lead_to(c2());
  const auto told = explain(c1(), address, Protocol::udp, 53);
  EXPECT_THAT(told, IsDelivered());
  EXPECT_EQ(told.place, "w2/c2");
  EXPECT_THAT(told.notes, Contains(AllOf(StartsWith("1 older flow to it leads to where nobody is any more"),
                                         HasSubstr("answered by " + was), HasSubstr("remedy: w1 conntrack -D"))));
}

TEST_F(Explain, SaysThatALossComesAndGoes) {
  nft(worker("w2"), {"add table inet fw"});
  nft(worker("w2"), {"add chain inet fw forward { type filter hook forward priority 0; }"});
  nft(worker("w2"), {"add rule inet fw forward icmp type echo-request numgen inc mod 3 == 1 drop"});
  const auto told = explain(c1(), c2());
  EXPECT_THAT(told, IsLost(at("w2"), because(Disposition::dropped_by_rule)));
  EXPECT_TRUE(told.intermittent());
  EXPECT_THAT(verdict_line(told), HasSubstr("intermittent: 1 of 3"));
}

TEST_F(Explain, NamesTheFirstOfTwoCauses) {
  for (const auto* name : {"w1", "w2"}) {
    nft(worker(name), {"add table inet fw"});
    nft(worker(name), {"add chain inet fw forward { type filter hook forward priority 0; }"});
    nft(worker(name), {"add rule inet fw forward icmp type echo-request drop"});
  }
  EXPECT_THAT(explain(c1(), c2()), IsLost(at("w1"), because(Disposition::dropped_by_rule)));
}

TEST_F(Explain, IsTheCauseOfWhatAnAssertionCouldntReach) {
  EXPECT_THAT(
      fixtures::failed_paths({"(\"w1/c1: no answer\\npath: w1/c1 -> 11.1.0.2\")", "path: w1 -> w2\nroute",
                              "path: w1 -> w2", "(\"path: w1 -> 11.1.0.2 tcp 80\")", "path: w1 -> fd00::2 udp 53"}),
      ElementsAre(fixtures::FailedPath{"w1/c1", "11.1.0.2"}, fixtures::FailedPath{"w1", "w2"},
                  fixtures::FailedPath{"w1", "11.1.0.2:80/tcp"}, fixtures::FailedPath{"w1", "[fd00::2]:53/udp"}));
  nft(worker("w2"), {"add table inet fw"});
  nft(worker("w2"), {"add chain inet fw input { type filter hook input priority 0; }"});
  nft(worker("w2"), {"add rule inet fw input udp dport 8472 drop"});
  const auto trouble = fixtures::ping_trouble(c1(), c2().address());
  ASSERT_TRUE(trouble);
  const auto paths = fixtures::failed_paths({*trouble});
  ASSERT_THAT(paths, ElementsAre(fixtures::FailedPath{"w1/c1", c2().address().to_string()}));
  const auto why = fixtures::why_it_failed(emulation(), paths.front(), std::chrono::seconds(1));
  EXPECT_THAT(
      failure_sentence("Failed\n" + std::string(kTheCause) + why),
      AllOf(StartsWith("LOST at w2: DROPPED_BY_RULE: "), HasSubstr("remedy: w2 nft delete rule inet fw input handle")));
  EXPECT_THAT(why, HasSubstr("\npath: w1/c1 -> w2\n"));
  const auto tcp = fixtures::failed_paths({*fixtures::tcp_exchange(c1(), c2().address(), 81, 1, kQuick)});
  ASSERT_THAT(tcp, ElementsAre(fixtures::FailedPath{"w1/c1", c2().address().to_string() + ":81/tcp"}));
  const auto udp = fixtures::failed_paths({*fixtures::udp_exchange(c1(), c2().address(), 82, 1, kQuick)});
  ASSERT_THAT(udp, ElementsAre(fixtures::FailedPath{"w1/c1", c2().address().to_string() + ":82/udp"}));
  nft(worker("w2"), {"delete table inet fw"});
  EXPECT_THAT(fixtures::why_it_failed(emulation(), tcp.front(), std::chrono::seconds(1)),
              AllOf(StartsWith("LOST at w2/c2: NO_LISTENER: "), HasSubstr("tcp port 81")));
  EXPECT_THAT(fixtures::why_it_failed(emulation(), udp.front(), std::chrono::seconds(1)),
              AllOf(StartsWith("LOST at w2/c2: NO_LISTENER: "), HasSubstr("udp port 82")));
  EXPECT_EQ(fixtures::why_it_failed(emulation(), paths.front(), std::chrono::seconds(1)), "") << "it comes through now";
}

TEST_F(Explain, KnowsServicesByNameAndAddress) {
  emulation().start_apis();
  apiserver::Client api(parse_address("127.0.0.1"), ClusterApi::port_of(0));
  const fixtures::EchoServer server(c2(), 7000);
  const auto path = std::string("/api/v1/namespaces/default/services");
  const auto made =
      api.must("POST", path,
               {{"metadata", {{"name", "web"}}},
                {"spec",
                 {{"type", "NodePort"},
                  {"selector", {{"knetsim.io/container", "c2"}}},
                  {"ports",
                   json::array({json{{"name", "http"}, {"port", 80}, {"targetPort", 7000}, {"nodePort", 30080}}})}}}})
          .body;
  const auto address = made["spec"]["clusterIP"].get<std::string>();
  const auto ask = [&](const std::string& from, const std::string& to) {
    return explain::explain(emulation(), explain::question_of(emulation(), from, to));
  };
  // The controllers and the proxies take their time.
  eventually([&]() -> std::optional<std::string> {
    const auto told = ask("w1", "svc/web");
    return told.delivered() ? std::nullopt : std::optional(verdict_line(told));
  });
  for (const auto* to :
       {"svc/web", "svc/web:80", "svc/web:http", "web.default:80", "web.default.svc/tcp", "w1:30080"}) {
    const auto told = ask("w1/c1", to);
    EXPECT_THAT(told, IsDelivered()) << to;
    EXPECT_THAT(told.notes, Contains(StartsWith("Service default/web, port 80 (http): 1 of 1 endpoint is ready")))
        << to;
    EXPECT_EQ(told.place, "w2/c2") << to;
  }
  const auto from_outside = ask("e1", "w2:30080");
  EXPECT_EQ(from_outside.place, "w2/c2") << to_text(from_outside, true);

  const auto no_port = ask("w1/c1", address + ":81");
  EXPECT_THAT(no_port, IsLost(at("w1"), because(Disposition::dropped_by_rule)));
  EXPECT_EQ(no_port.sentence, "Service default/web has no port tcp 81: it has tcp 80 (http)");
  EXPECT_THAT(verdict_line(ask("w1/c1", "svc/web/icmp")), HasSubstr("answers no echoes"));
  EXPECT_THAT(verdict_line(ask("w1/c1", "10.96.0.77:80")),
              HasSubstr("10.96.0.77 is in the range of Services, and none has it"));

  api.must("PATCH", path + "/web", {{"spec", {{"ports", json::array({json{{"port", 80}, {"targetPort", 7001}}})}}}},
           "application/merge-patch+json");
  eventually([&]() -> std::optional<std::string> {
    const auto told = ask("w1/c1", "svc/web");
    if (told.place == "w2/c2" && told.disposition == Disposition::no_listener) return std::nullopt;
    return "NO_LISTENER at w2/c2; it says " + verdict_line(told);
  });
  EXPECT_THAT(ask("w1/c1", "svc/web").remedy,
              AllOf(HasSubstr("kubectl patch service web"), HasSubstr("\"targetPort\":7000")));

  for (const auto& [to, words] : {std::pair{"svc/wed", "did you mean web.default?"},
                                  {"svc/web:https", "it has 80/tcp"},
                                  {"wep.default:80", "there is no node"},
                                  {"svc/web/udp", "which port"}})
    try {
      explain::question_of(emulation(), "w1", to);
      ADD_FAILURE() << to;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(words)) << to;
    }
}

}  // namespace
}  // namespace knetsim::suites
