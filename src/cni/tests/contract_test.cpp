// docs/cni.md says what a plugin is given: a plugin that writes it down is asked.

#include <gmock/gmock.h>

#include <map>
#include <sstream>

#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using nlohmann::json;

// The fenced block that follows the page's <!-- contract: name -->.
std::string block(const std::string& name) {
  const auto page = read_file(KNETSIM_CNI_PAGE);
  const auto mark = page.find("<!-- contract: " + name + " -->");
  if (mark == std::string::npos) throw std::logic_error("docs/cni.md has no contract " + name);
  const auto begin = page.find('\n', page.find("```", mark)) + 1;
  return page.substr(begin, page.find("```", begin) - begin);
}

std::string with(std::string text, const std::string& placeholder, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(placeholder, at)) != std::string::npos; at += value.size())
    text.replace(at, placeholder.size(), value);
  return text;
}

std::map<std::string, std::string> variables(const std::string& text) {
  std::map<std::string, std::string> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const auto equals = line.find('='); equals != std::string::npos)
      all[line.substr(0, equals)] = line.substr(equals + 1);
  return all;
}

class Contract : public testing::Test {
 protected:
  void SetUp() override {
    write_file_atomically(plugins / "recorder",
                          "#!/bin/sh\ncat > $CNI_COMMAND.stdin\nenv > $CNI_COMMAND.env\n"
                          "readlink /proc/self/ns/net > netns\n[ $CNI_COMMAND = DEL ] || "
                          "echo '{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"11.13.0.9/20\"}}'\n",
                          0755);
    auto options = worker.options(Flavour::builtin);
    options.plugins = resolve((plugins / "recorder").string());
    PodNetwork network(worker.netns(), options);
    network.attach(c1.attachment());
    network.check("k0_c1");
    network.detach("k0_c1");
  }

  std::string recorded(const std::string& file) const { return read_file(worker.directory() / file); }

  // As in pair.json.
  const TestWorker worker;
  const TestContainer c1{"k0_c1"};
  const std::filesystem::path plugins = [] {
    std::filesystem::path directory = std::filesystem::path(kStateDirectory) / "recorders";
    std::filesystem::create_directories(directory);
    return directory;
  }();
};

TEST_F(Contract, TheEnvironmentIsAsThePageSays) {
  const auto said = variables(with(with(block("environment"), "DIRECTORY", plugins.string()), "OWN",
                                   own_plugin_directory().value_or("").string()));
  ASSERT_EQ(said.size(), 8U);
  const auto given = variables(recorded("ADD.env"));
  for (const auto& [name, value] : said) {
    ASSERT_TRUE(given.contains(name)) << name;
    EXPECT_EQ(given.at(name), value) << name;
  }
  for (const auto& [name, value] : given)
    EXPECT_TRUE(!name.starts_with("CNI_") || said.contains(name)) << name << " isn't on the page";
  EXPECT_THAT(recorded("netns"), testing::HasSubstr(std::to_string(worker.netns().inode())));
}

TEST_F(Contract, StdinIsAsThePageSays) {
  const auto said = json::parse(block("stdin"));
  EXPECT_EQ(json::parse(recorded("ADD.stdin")), said);
  for (const auto* command : {"CHECK", "DEL"}) {
    auto given = json::parse(recorded(std::string(command) + ".stdin"));
    EXPECT_EQ(given["prevResult"]["cniVersion"], said["cniVersion"]) << command;
    EXPECT_EQ(given["prevResult"]["ips"][0]["address"], "11.13.0.9/20") << command;
    given.erase("prevResult");
    EXPECT_EQ(given, said) << command;
  }
}

}  // namespace
}  // namespace knetsim::cni
