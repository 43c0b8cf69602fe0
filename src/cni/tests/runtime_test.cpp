// The exec protocol, seen from plugins that behave well and from plugins that don't.

#include "knetsim/cni/runtime.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

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
