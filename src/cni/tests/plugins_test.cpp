// Who connects the containers: KNETSIM_CNI and CNI_PATH.

#include "knetsim/cni/plugins.h"

#include <gmock/gmock.h>

#include <map>

#include "knetsim/sys/file.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ChoosingPlugins : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory); }

  std::filesystem::path put(const std::string& name, unsigned mode = 0755) const {
    write_file_atomically(directory / name, "#!/bin/sh\n", mode);
    return directory / name;
  }

  const std::filesystem::path directory = "/tmp/knetsim/my-plugins";
};

TEST_F(ChoosingPlugins, TakesBuiltInWhenAskedTo) { EXPECT_EQ(resolve("builtin").flavour, Flavour::builtin); }

TEST_F(ChoosingPlugins, TakesRealOnesByItselfWhereTheyAre) {
  for (const auto* wanted : {"", "auto", "real"}) {
    const auto plugins = resolve(wanted, "/a:/b");
    EXPECT_EQ(plugins.flavour, Flavour::real);
    EXPECT_EQ(plugins.type, "flannel");
    ASSERT_GE(plugins.search_path.size(), 4U);
    EXPECT_EQ(plugins.search_path[0], "/a");
    EXPECT_EQ(plugins.search_path[1], "/b");
    EXPECT_EQ(plugins.search_path[2], "/opt/cni/bin");
    EXPECT_EQ(plugins.search_path[3], "/usr/lib/cni");
  }
}

TEST_F(ChoosingPlugins, PutsADirectoryOfTheUsersFirst) {
  const auto plugins = resolve(directory.string());
  EXPECT_EQ(plugins.search_path.front(), directory);
  EXPECT_EQ(plugins.type, "flannel");
}

TEST_F(ChoosingPlugins, NamesAPluginOfTheUsersByItsFile) {
  const auto plugins = resolve(put("mine").string());
  EXPECT_EQ(plugins.flavour, Flavour::real);
  EXPECT_EQ(plugins.type, "mine");
  EXPECT_EQ(plugins.search_path.front(), directory);
}

TEST_F(ChoosingPlugins, TakesAConfigurationAndFindsItsPluginsBesideIt) {
  put("mine");
  const auto list = put("pods.conflist");
  write_file_atomically(list, R"({"name":"pods","cniVersion":"0.4.0","plugins":[{"type":"mine"},{"type":"tuning"}]})");
  const auto plugins = resolve(list.string(), "/a");
  EXPECT_EQ(plugins.flavour, Flavour::real);
  ASSERT_TRUE(plugins.conf);
  EXPECT_EQ(plugins.conf->name, "pods");
  EXPECT_EQ(plugins.conf->plugins.size(), 2U);
  EXPECT_EQ(plugins.search_path.at(0), "/a");
  EXPECT_EQ(plugins.search_path.at(1), directory);
  EXPECT_EQ(plugins.search_path.at(2), "/opt/cni/bin");

  write_file_atomically(directory / "one.conf", R"({"name":"one","type":"mine"})");
  EXPECT_EQ(resolve((directory / "one.conf").string()).conf->cni_version, "0.1.0");

  std::filesystem::permissions(directory, std::filesystem::perms::others_write, std::filesystem::perm_options::add);
  EXPECT_THAT(thrown<InputError>([&] { resolve(list.string()); }).what(), HasSubstr("there is no plugin \"mine\" in"))
      << "what anybody may have put there isn't run";
}

TEST_F(ChoosingPlugins, SaysWhatIsWrongWithAConfigurationAndHowItWasAskedFor) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"({"name":"n","plugins":[{"type":"nosuch"}]})", "there is no plugin \"nosuch\" in"},
      {R"({"name":"n","plugins":[{}]})", "bad.conflist:1: /plugins/0/type: the key \"type\" is missing"},
      {"{\n\"name\" 1}", "bad.conflist:2:8: syntax error"},
      {std::string(100'000, '['), "nested deeper"},
      {std::string(2'000'000, ' '), "longer than a MiB"}};
  for (const auto& [text, answer] : cases) {
    const auto file = put("bad.conflist");
    write_file_atomically(file, text);
    EXPECT_THAT(thrown<InputError>([&] { resolve(file.string(), {}, "--cni bad.conflist"); }).what(),
                AllOf(HasSubstr("can't use --cni bad.conflist"), HasSubstr(answer), HasSubstr("remedy: ")))
        << answer;
  }
  EXPECT_THAT(thrown<InputError>([] {
                resolve_conf({.name = "n", .plugins = {{{"type", "x"}}}}, "/a", "mine");
              }).what(),
              AllOf(HasSubstr("can't use mine"), HasSubstr("\"x\" in /a, ")));
}

TEST_F(ChoosingPlugins, RefusesWhatIsNotThere) {
  EXPECT_THAT(thrown<InputError>([] { resolve("/no/such"); }).what(),
              AllOf(HasSubstr("KNETSIM_CNI=/no/such"), HasSubstr("doesn't exist")));
  EXPECT_THAT(thrown<InputError>([] { resolve("/no/such", {}, "--cni /no/such"); }).what(),
              AllOf(HasSubstr("use --cni /no/such"), testing::Not(HasSubstr("KNETSIM_CNI"))));
  EXPECT_THAT(thrown<InputError>([&] { resolve(put("flat", 0644).string()); }).what(), HasSubstr("isn't executable"));
  EXPECT_THAT(thrown<InputError>([] { resolve("bogus"); }).what(),
              AllOf(HasSubstr("KNETSIM_CNI=bogus: \"bogus\" isn't a flavour"),
                    HasSubstr("choose auto, real, builtin, or the")));
}

TEST_F(ChoosingPlugins, FollowsTheEnvironment) {
  using Variables = std::map<std::string, std::string, std::less<>>;
  const auto chosen = [](Flavour requested, Variables variables) {
    return resolve(requested, parts::Environment(std::move(variables)), "the topology");
  };
  EXPECT_EQ(chosen(Flavour::automatic, {{"KNETSIM_CNI", "builtin"}}).flavour, Flavour::builtin);
  EXPECT_EQ(chosen(Flavour::automatic, {{"KNETSIM_CNI", ""}}).flavour, Flavour::real);
  EXPECT_EQ(chosen(Flavour::real, {{"KNETSIM_CNI", "builtin"}}).flavour, Flavour::real);
  EXPECT_EQ(chosen(Flavour::real, {{"CNI_PATH", "/a"}}).search_path.front(), "/a");
  const auto mine = put("mine").string();
  EXPECT_EQ(chosen(Flavour::real, {{"KNETSIM_CNI", mine}}).type, "mine");
  EXPECT_EQ(chosen(Flavour::automatic, {{"KNETSIM_CNI", mine}}).type, "mine");
  EXPECT_EQ(chosen(Flavour::builtin, {{"KNETSIM_CNI", mine}}).flavour, Flavour::builtin);
}

TEST_F(ChoosingPlugins, FindsOurOwnPluginBesideTheProgram) {
  const auto own = own_plugin_directory();
  ASSERT_TRUE(own);
  EXPECT_EQ(own->filename(), "cni");
  EXPECT_EQ(resolve("real").search_path.back(), *own) << "a plugin flannel of the user's goes first";
}

TEST_F(ChoosingPlugins, PutsAUsersOwnPluginUnderAPodNetwork) {
  const TestWorker worker;
  const TestContainer c1("c1");
  write_file_atomically(directory / "mine",
                        "#!/bin/sh\ncat > $HOME/given\n[ $CNI_COMMAND = DEL ] || "
                        "echo '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"11.13.0.9/20\"}]}'\n",
                        0755);
  auto options = worker.options(Flavour::builtin);
  options.plugins = resolve((directory / "mine").string());
  PodNetwork network(worker.netns(), options);
  EXPECT_THAT(network.attach(c1.attachment()).addresses(), testing::ElementsAre(parse_address("11.13.0.9")));
  const auto given = nlohmann::json::parse(read_file(worker.directory() / "given"));
  EXPECT_EQ(given["type"], "mine");
  EXPECT_EQ(given["ipMasq"], false);
  EXPECT_EQ(given["ipam"]["ranges"][0][0]["subnet"], "11.13.0.0/20");
  EXPECT_EQ(given["ipam"]["routes"], nlohmann::json::parse(R"([{"dst":"11.0.0.0/8"},{"dst":"0.0.0.0/0"}])"));
  EXPECT_EQ(given["mtu"], 1450);
}

}  // namespace
}  // namespace knetsim::cni
