// The exec protocol, seen from plugins that behave well and from plugins that don't.

#include "knetsim/cni/runtime.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <cstdlib>

#include "knetsim/netlink/link.h"
#include "knetsim/sys/file.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RuntimeWith : public testing::Test {
 protected:
  // A plugin as a script; `body` comes after what logs each call with its stdin.
  void add_plugin(const std::string& type, const std::string& body, unsigned mode = 0755) {
    const auto directory = worker.directory() / "plugins";
    std::filesystem::create_directories(directory);
    const auto calls = (worker.directory() / "calls").string();
    write_file_atomically(directory / type,
                          "#!/bin/sh\nstdin=$(cat)\n"
                          "echo \"" +
                              type + " $CNI_COMMAND\" >> " + calls +
                              "\n"
                              "echo \"$stdin\" > " +
                              (worker.directory() / (type + ".$CNI_COMMAND")).string() + "\n" + body + "\n",
                          mode);
  }

  std::vector<std::string> calls() const {
    std::vector<std::string> lines;
    std::istringstream text(read_file(worker.directory() / "calls"));
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  json stdin_of(const std::string& call) const { return json::parse(read_file(worker.directory() / call)); }

  Runtime runtime(std::chrono::milliseconds timeout = std::chrono::seconds(30)) const {
    auto options = worker.runtime_options();
    options.timeout = timeout;
    return {worker.netns(), options};
  }

  static NetworkConfig config(const std::vector<std::string>& types, const std::string& version = "1.0.0") {
    NetworkConfig list{.name = "net", .cni_version = version, .plugins = {}};
    for (const auto& type : types) list.plugins.push_back({{"type", type}, {"its own", type}});
    return list;
  }

  Error failure_of(const std::string& type, std::chrono::milliseconds timeout = std::chrono::seconds(30)) const {
    return thrown<Error>([&] { runtime(timeout).add(c1.attachment(), config({type})); });
  }

  TestWorker worker;
  TestContainer c1{"c1"};
};

constexpr const char* kPrintResult =
    R"([ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"/x"}],)"
    R"("ips":[{"address":"11.1.0.2/24","interface":0}]}'; exit 0)";

TEST_F(RuntimeWith, ChainsPluginsEachWithThePreviousResult) {
  add_plugin("first", kPrintResult);
  add_plugin("second", "echo \"$stdin\" | sed 's/.*\"prevResult\":\\({.*}\\),\"type\".*/\\1/'");
  const auto result = runtime().add(c1.attachment(), config({"first", "second"}));

  EXPECT_THAT(result.addresses(), ElementsAre(parse_address("11.1.0.2")));
  EXPECT_THAT(calls(), ElementsAre("first ADD", "second ADD"));
  const auto first = stdin_of("first.ADD");
  EXPECT_EQ(first["name"], "net");
  EXPECT_EQ(first["cniVersion"], "1.0.0");
  EXPECT_EQ(first["its own"], "first");
  EXPECT_FALSE(first.contains("prevResult"));
  EXPECT_EQ(stdin_of("second.ADD")["prevResult"]["ips"][0]["address"], "11.1.0.2/24");
}

TEST_F(RuntimeWith, ChecksInOrderAndDeletesInReverseWithTheCachedResult) {
  for (const auto* type : {"first", "second"}) add_plugin(type, kPrintResult);
  runtime().add(c1.attachment(), config({"first", "second"}));
  runtime().check("c1", "net");
  runtime().del("c1", "net");

  EXPECT_THAT(calls(),
              ElementsAre("first ADD", "second ADD", "first CHECK", "second CHECK", "second DEL", "first DEL"));
  for (const auto* call : {"first.CHECK", "second.CHECK", "second.DEL", "first.DEL"})
    EXPECT_EQ(stdin_of(call)["prevResult"]["ips"][0]["address"], "11.1.0.2/24") << call;
}

TEST_F(RuntimeWith, GivesThePluginItsEnvironmentInTheWorkersNamespace) {
  add_plugin("spy", "env > env; readlink /proc/self/ns/net > netns; pwd > cwd; " + std::string(kPrintResult));
  runtime().add(c1.attachment(), config({"spy"}));
  EXPECT_THAT(read_file(worker.directory() / "env"),
              AllOf(HasSubstr("CNI_COMMAND=ADD\n"), HasSubstr("CNI_CONTAINERID=c1\n"),
                    HasSubstr("CNI_NETNS=/run/netns/c1\n"), HasSubstr("CNI_IFNAME=eth0\n"),
                    HasSubstr("CNI_PATH=" + (worker.directory() / "plugins").string() + ":/usr/lib/cni\n")));
  EXPECT_THAT(read_file(worker.directory() / "netns"), HasSubstr(std::to_string(worker.netns().inode())));
  EXPECT_EQ(read_file(worker.directory() / "cwd"), worker.directory().string() + "\n");
}

TEST_F(RuntimeWith, KeepsPrevResultFromDelBelow040AndHasNoCheckThere) {
  add_plugin("old", kPrintResult);
  runtime().add(c1.attachment(), config({"old"}, "0.3.1"));
  const auto error = thrown<Error>([&] { runtime().check("c1", "net"); });
  EXPECT_EQ(error.failure().code, kIncompatibleVersion);
  runtime().del("c1", "net");
  EXPECT_FALSE(stdin_of("old.DEL").contains("prevResult"));
}

TEST_F(RuntimeWith, ReadsResultsOfEveryVersionAndHandsThemOnInTheConfigs) {
  add_plugin("second", "[ $CNI_COMMAND = ADD ] && cat " + (worker.directory() / "answer").string() + "; exit 0");
  add_plugin("first", "[ $CNI_COMMAND = ADD ] && cat " + (worker.directory() / "answer").string() + "; exit 0");
  for (const std::string spoken : {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0", ""})
    for (const std::string asked : {"0.2.0", "0.4.0", "1.1.0"}) {
      auto answer = parse_result(R"({"ips":[{"address":"11.1.0.2/24"}],"routes":[{"dst":"11.0.0.0/8"}]})");
      answer.cni_version = spoken.empty() ? asked : spoken;
      auto written = json::parse(to_json(answer));
      if (spoken.empty()) written.erase("cniVersion");
      write_file_atomically(worker.directory() / "answer", written.dump());

      const auto result = runtime().add(c1.attachment(), config({"first", "second"}, asked));
      EXPECT_EQ(result.cni_version, asked) << spoken;
      EXPECT_THAT(result.addresses(), ElementsAre(parse_address("11.1.0.2"))) << spoken << " " << asked;
      const auto previous = stdin_of("second.ADD")["prevResult"];
      EXPECT_EQ(previous["cniVersion"], asked) << spoken;
      EXPECT_EQ(previous[asked == "0.2.0" ? "ip4" : "ips"].is_null(), false) << spoken << " " << asked;
      runtime().del("c1", "net");
      EXPECT_EQ(stdin_of("first.DEL").contains("prevResult"), asked != "0.2.0");
    }
}

TEST_F(RuntimeWith, GivesEachPluginTheCapabilitiesThatItsConfigNames) {
  for (const auto* type : {"first", "second"}) add_plugin(type, kPrintResult);
  auto list = config({"first", "second"}, "0.4.0");
  list.plugins[0]["capabilities"] = {{"portMappings", true}, {"bandwidth", false}};
  list.plugins[1]["capabilities"] = {{"bandwidth", true}, {"mac", true}};
  list.plugins[1]["runtimeConfig"] = {{"mac", "of the file"}};
  list.plugins[0]["args"] = {{"labels", {{"app", "x"}}}};
  auto attachment = c1.attachment();
  attachment.capabilities = {{"portMappings", {{{"hostPort", 8080}, {"containerPort", 80}}}},
                             {"bandwidth", {{"ingressRate", 1000}}}};
  runtime().add(attachment, list);
  runtime().check("c1", "net");
  runtime().del("c1", "net");
  for (const auto* command : {"ADD", "CHECK", "DEL"}) {
    const auto first = stdin_of("first." + std::string(command));
    EXPECT_EQ(first["runtimeConfig"], json({{"portMappings", attachment.capabilities["portMappings"]}})) << command;
    EXPECT_FALSE(first.contains("capabilities")) << command;
    EXPECT_EQ(first["args"]["labels"]["app"], "x") << command;
    EXPECT_EQ(stdin_of("second." + std::string(command))["runtimeConfig"],
              json({{"bandwidth", {{"ingressRate", 1000}}}}))
        << command;
  }
}

TEST_F(RuntimeWith, HandsOnItsArgumentsAndNothingThatItWasGivenItself) {
  add_plugin("spy", "echo \"$CNI_ARGS\" > args.$CNI_COMMAND; env > env.$CNI_COMMAND; " + std::string(kPrintResult));
  auto attachment = c1.attachment();
  attachment.args = {{"IgnoreUnknown", "1"}, {"K8S_POD_NAME", "c1=x"}};
  ::setenv("CNI_OF_MY_OWN", "x", 1);
  runtime().add(attachment, config({"spy"}));
  ::unsetenv("CNI_OF_MY_OWN");
  runtime().del("c1", "net");
  EXPECT_EQ(read_file(worker.directory() / "args.ADD"), "IgnoreUnknown=1;K8S_POD_NAME=c1=x\n");
  EXPECT_EQ(read_file(worker.directory() / "args.DEL"), "IgnoreUnknown=1;K8S_POD_NAME=c1=x\n");
  EXPECT_THAT(read_file(worker.directory() / "env.ADD"), testing::Not(HasSubstr("CNI_OF_MY_OWN")));
  for (const auto& [key, value] : {std::pair{"a;b", "c"}, {"a=b", "c"}, {"a", "b;c"}, {"", "c"}}) {
    attachment.args = {{key, value}};
    EXPECT_THROW(runtime().add(attachment, config({"spy"})), InputError) << key;
  }
}

TEST_F(RuntimeWith, AsksPluginsForTheirStatusSince110) {
  add_plugin("ready", "[ -z \"$CNI_CONTAINERID$CNI_NETNS$CNI_IFNAME\" ] && [ -n \"$CNI_PATH\" ]");
  add_plugin("waiting", R"(echo '{"cniVersion":"1.1.0","code":50,"msg":"no agent"}'; exit 1)");
  runtime().status(config({"ready", "waiting"}, "1.0.0"));
  EXPECT_FALSE(std::filesystem::exists(worker.directory() / "calls"));
  runtime().status(config({"ready"}, "1.1.0"));
  const auto error = thrown<Error>([&] { runtime().status(config({"ready", "waiting", "ready"}, "1.1.0")); });
  EXPECT_EQ(error.failure().code, kNotAvailable);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("w1: can't ask the plugin waiting for its STATUS: code 50: no agent"),
                                  HasSubstr("remedy: ")));
  EXPECT_THAT(calls(), ElementsAre("ready STATUS", "ready STATUS", "waiting STATUS"));
}

TEST_F(RuntimeWith, CollectsWhatIsNotNamedAndTellsThePluginsSince110) {
  add_plugin("plain", kPrintResult);
  add_plugin("sour", "[ $CNI_COMMAND = GC ] && { echo '{\"code\":100,\"msg\":\"no\"}'; exit 1; }; " +
                         std::string(kPrintResult));
  const TestContainer c2("c2");
  for (const std::string version : {"0.4.0", "1.1.0"}) {
    const auto list = config({"sour", "plain"}, version);
    runtime().add(c1.attachment(), list);
    runtime().add(c2.attachment(), list);
    std::filesystem::remove(worker.directory() / "calls");

    auto disabled = list;
    disabled.disable_gc = true;
    runtime().gc(disabled, {});
    EXPECT_FALSE(std::filesystem::exists(worker.directory() / "calls"));

    const auto collect = [&] {
      runtime().gc(list, {{.container_id = "c2"}, {.container_id = "c9", .ifname = "net1"}});
    };
    if (version == "0.4.0") {
      collect();
      EXPECT_THAT(calls(), ElementsAre("plain DEL", "sour DEL"));
    } else {
      EXPECT_THAT(thrown<Error>(collect).what(), HasSubstr("GC with the plugin sour: code 100: no"));
      EXPECT_THAT(calls(), ElementsAre("plain DEL", "sour DEL", "sour GC", "plain GC"));
      const auto given = stdin_of("plain.GC");
      EXPECT_EQ(given["cni.dev/valid-attachments"],
                json::parse(R"([{"containerID":"c2","ifname":"eth0"},{"containerID":"c9","ifname":"net1"}])"));
      EXPECT_EQ(given["name"], "net");
      EXPECT_FALSE(given.contains("prevResult"));
    }
    EXPECT_THAT(files_in(worker.directory() / "cni/cache"), ElementsAre("net+c2+eth0"));
    runtime().del("c2", "net");
  }
}

TEST_F(RuntimeWith, DoesNotCheckWhereTheConfigDisablesIt) {
  add_plugin("plain", kPrintResult);
  auto list = config({"plain"});
  list.disable_check = true;
  runtime().add(c1.attachment(), list);
  runtime().check("c1", "net");
  EXPECT_THAT(calls(), ElementsAre("plain ADD"));
}

TEST_F(RuntimeWith, NamesEverythingOfAnErrorThatAPluginReports) {
  add_plugin("sour", R"(echo '{"cniVersion":"1.0.0","code":11,"msg":"come back","details":"at noon"}'; exit 1)");
  const auto error = failure_of("sour");
  EXPECT_THAT(error.what(), AllOf(HasSubstr("w1: can't ADD container c1 (eth0) with the plugin sour"),
                                  HasSubstr("code 11: come back; at noon"), HasSubstr("remedy: try again later")));
  EXPECT_EQ(error.failure().code, kTryAgainLater);
  EXPECT_EQ(error.failure().message, "come back");
  EXPECT_EQ(error.failure().details, "at noon");
}

TEST_F(RuntimeWith, UndoesAllThatAFailedAddMayHaveApplied) {
  add_plugin("good", kPrintResult);
  add_plugin("bad", R"([ "$CNI_COMMAND" = DEL ] || { echo '{"code":100,"msg":"no"}'; exit 1; })");
  EXPECT_THAT(thrown<Error>([&] {
                runtime().add(c1.attachment(), config({"good", "bad", "good"}));
              }).what(),
              HasSubstr("code 100: no"));
  EXPECT_THAT(calls(), ElementsAre("good ADD", "bad ADD", "good DEL", "bad DEL", "good DEL"));
  EXPECT_THAT(files_in(worker.directory() / "cni/cache"), IsEmpty());
}

TEST_F(RuntimeWith, ShowsGarbageInsteadOfAResult) {
  add_plugin("chatty", "echo hello world");
  const auto error = failure_of("chatty");
  EXPECT_THAT(error.what(), AllOf(HasSubstr("\"hello world\""), HasSubstr("logs belong on stderr")));
  EXPECT_EQ(error.failure().code, kUndecodable);
}

TEST_F(RuntimeWith, ShowsAResultThatItCannotUse) {
  add_plugin("odd", R"(echo '{"cniVersion":"1.0.0","ips":[{"address":"eleven"}]}')");
  const auto error = failure_of("odd");
  EXPECT_THAT(error.what(), AllOf(HasSubstr("plugin odd"), HasSubstr("\"eleven\"")));
  EXPECT_EQ(error.failure().code, kUndecodable);
}

TEST_F(RuntimeWith, ShowsHowAPluginEndedThatReportsNoError) {
  add_plugin("crash", "echo out of luck >&2; kill -SEGV $$");
  EXPECT_THAT(failure_of("crash").what(), AllOf(HasSubstr("SIGSEGV"), HasSubstr("\"out of luck\"")));
  add_plugin("silent", "exit 3");
  EXPECT_THAT(failure_of("silent").what(), HasSubstr("exit code 3"));
}

// Whatever a plugin does, the call ends in time, with a message of bounded length that says what it did.
TEST_F(RuntimeWith, SurvivesWhateverAPluginPrints) {
  const std::string print_deep = "head -c 200000 /dev/zero | tr '\\0' '['";
  const std::vector<std::array<std::string, 3>> cases{
      {"nothing", "exit 0", "object: nothing"},
      {"closed", "exec >&- 2>&-", "object: nothing"},
      {"closes and hangs", "[ $CNI_COMMAND = DEL ] || { exec >&- 2>&-; exec sleep 1000; }", "no answer within"},
      {"megabytes", "head -c 3000000 /dev/zero | tr '\\0' x", "of at most 1048576 bytes: \"xxx"},
      {"megabytes of errors", "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 3", "exit code 3"},
      {"without end", "[ $CNI_COMMAND = DEL ] || exec yes junk", "no answer within"},
      {"a child without end", "echo junk; yes junk & exit 0", "junk"},
      {"deep", print_deep, "object: \"[[["},
      {"deep error", print_deep + "; exit 1", "exit code 1"},
      {"a long message", "printf '{\"code\":7,\"msg\":\"'; head -c 900000 /dev/zero | tr '\\0' x; echo '\"}'; exit 1",
       "code 7: xxx"},
      {"no object", "echo '[1]'", "object: \"[1]\""},
      {"two", "echo '{} {}'", "object: "},
      {"binary", "printf '\\377\\376\\0'", "\\xff\\xfe"},
      {"a signal", "kill -KILL $$", "SIGKILL"},
      {"another version", R"(echo '{"cniVersion":"7.0.0"}')", "cniVersion is \"7.0.0\""}};
  for (const auto& [name, body, expected] : cases) {
    add_plugin("odd", body);
    const auto begin = std::chrono::steady_clock::now();
    const auto error = failure_of("odd", std::chrono::milliseconds(700));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20)) << name;
    EXPECT_THAT(std::string(error.what()), AllOf(HasSubstr(expected), testing::SizeIs(testing::Lt(10'000U)))) << name;
    EXPECT_THAT(files_in(worker.directory() / "cni/cache"), IsEmpty()) << name;
  }
}

TEST_F(RuntimeWith, DoesNotWaitForEverForAPlugin) {
  add_plugin("hang", R"([ "$CNI_COMMAND" = DEL ] || exec sleep 1000)");
  EXPECT_THAT(failure_of("hang", std::chrono::milliseconds(500)).what(), HasSubstr("no answer within 0.5 s"));
  EXPECT_THAT(calls(), ElementsAre("hang ADD", "hang DEL"));
}

TEST_F(RuntimeWith, SaysWhereItLookedForAMissingPluginAndWhichPackageHasIt) {
  EXPECT_THAT(failure_of("nosuch").what(),
              AllOf(HasSubstr("plugin nosuch"), HasSubstr("plugins:/usr/lib/cni"), HasSubstr("CNI_PATH")));
  auto options = worker.runtime_options();
  options.search_path = {worker.directory()};
  const auto error = thrown<Error>([&] { Runtime(worker.netns(), options).add(c1.attachment(), config({"bridge"})); });
  EXPECT_THAT(error.what(), HasSubstr("apt-get install containernetworking-plugins"));
}

TEST_F(RuntimeWith, TellsAPluginThatIsNotExecutable) {
  add_plugin("flat", "true", 0644);
  EXPECT_THAT(failure_of("flat").what(), AllOf(HasSubstr("isn't executable"), HasSubstr("chmod +x")));
}

TEST_F(RuntimeWith, LetsEveryPluginDeleteAndTellsTheFirstRefusal) {
  add_plugin("first", kPrintResult);
  add_plugin("second", "[ $CNI_COMMAND = DEL ] && { echo '{\"code\":100,\"msg\":\"stuck\"}'; exit 1; }; " +
                           std::string(kPrintResult));
  runtime().add(c1.attachment(), config({"first", "second"}));
  EXPECT_THAT(thrown<Error>([&] { runtime().del("c1", "net"); }).what(), HasSubstr("stuck"));
  EXPECT_THAT(calls(), ElementsAre("first ADD", "second ADD", "second DEL", "first DEL"));

  add_plugin("second", kPrintResult);
  runtime().del("c1", "net");
  EXPECT_THAT(files_in(worker.directory() / "cni/cache"), IsEmpty());
}

TEST_F(RuntimeWith, DeletesWithTheGivenConfigWhatTheCacheHasLost) {
  add_plugin("plain", kPrintResult);
  runtime().del("c1", "net");
  EXPECT_FALSE(std::filesystem::exists(worker.directory() / "calls"));
  runtime().del(c1.attachment(), config({"plain"}));
  EXPECT_THAT(calls(), ElementsAre("plain DEL"));
}

TEST_F(RuntimeWith, TellsDebiansPluginsFromTheirVersions) {
  EXPECT_THAT(runtime().versions("bridge"), testing::IsSupersetOf({"0.3.1", "0.4.0", "1.0.0"}));
  add_plugin("mute", "echo '{}'");
  EXPECT_EQ(thrown<Error>([&] { runtime().versions("mute"); }).failure().code, kUndecodable);
}

TEST_F(RuntimeWith, RunsDebiansLoopback) {
  const Attachment loopback{.container_id = "c1", .netns = "/run/netns/c1", .ifname = "lo"};
  ASSERT_TRUE(succeeds(c1.netns(), {"ip", "link", "set", "lo", "down"}));
  runtime().add(loopback, config({"loopback"}));
  netlink::Socket socket(c1.netns());
  EXPECT_TRUE(netlink::get_link(socket, "lo").up);
  runtime().check("c1", "net", "lo");
  runtime().del("c1", "net", "lo");
  EXPECT_FALSE(netlink::get_link(socket, "lo").up);
}

TEST_F(RuntimeWith, WorksOnAfterAMove) {
  add_plugin("plain", kPrintResult);
  auto first = runtime();
  auto second = std::move(first);
  second.add(c1.attachment(), config({"plain"}));
  first = std::move(second);
  first.del("c1", "net");
  EXPECT_THAT(calls(), ElementsAre("plain ADD", "plain DEL"));
}

}  // namespace
}  // namespace knetsim::cni
