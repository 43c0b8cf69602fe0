// Who connects the containers: KNETSIM_CNI and CNI_PATH.

#include "knetsim/cni/plugins.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "knetsim/sys/file.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ChoosingPlugins : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory); }
  void TearDown() override {
    ::unsetenv("KNETSIM_CNI");
    ::unsetenv("CNI_PATH");
  }

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

TEST_F(ChoosingPlugins, RefusesWhatIsNotThere) {
  EXPECT_THAT(thrown<InputError>([] { resolve("/no/such"); }).what(),
              AllOf(HasSubstr("KNETSIM_CNI=/no/such"), HasSubstr("doesn't exist")));
  EXPECT_THAT(thrown<InputError>([&] { resolve(put("flat", 0644).string()); }).what(), HasSubstr("isn't executable"));
  EXPECT_THAT(thrown<InputError>([] { resolve("bogus"); }).what(), HasSubstr("use auto, real, builtin"));
}

TEST_F(ChoosingPlugins, ReadsTheEnvironment) {
  ::setenv("KNETSIM_CNI", "builtin", 1);
  EXPECT_EQ(resolve_from_environment("real").flavour, Flavour::builtin);
  ::setenv("KNETSIM_CNI", "", 1);
  EXPECT_EQ(resolve_from_environment("real").flavour, Flavour::real);
  ::setenv("CNI_PATH", "/a", 1);
  EXPECT_EQ(resolve_from_environment("real").search_path.front(), "/a");
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
  EXPECT_EQ(given["mtu"], 1450);
}

}  // namespace
}  // namespace knetsim::cni
