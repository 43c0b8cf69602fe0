// 148 commands of kubectl 1.32, one after the other, over a real API server of that version on which neither kubelets
// nor controllers ran: exit code and output as recorded, with what each server makes for itself put aside.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "kubectl.h"
#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;

constexpr const char* kNotOurs = "it shows kinds that aren't served here";
constexpr const char* kEndless = "it ends when it is told to";

/// Commands that aren't compared, and why.
const std::map<std::string, const char*> kLeftOut{
    {"version-fresh", "it names the server's version"},
    {"api-versions-fresh", kNotOurs},
    {"api-resources", kNotOurs},
    {"describe-namespace", kNotOurs},
    {"autoscale", kNotOurs},
    {"auth-can-i", kNotOurs},
    {"auth-whoami", kNotOurs},
    {"get-raw", "members come in another order"},
    {"describe-node", "an admission plug-in had tainted it"},
    {"explain", "descriptions are in our own words"},
    {"explain-netpol", "descriptions are in our own words"},
    {"logs", "no kubelet was there"},
    {"exec", "no kubelet was there"},
    {"finalizer-delete", "kubectl tells of its own troubles, with its process's number"},
    {"delete-all", "one of the services was made by a command that wasn't recorded"},
    {"watch-svc", kEndless},
    {"watch-only-svc", kEndless},
    {"port-forward", kEndless},
    {"delete-orphan", "it waits for a controller"},
};
/// What other versions of kubectl print in another way.
const std::set<std::string> kWords{"cluster-info", "describe-svc", "describe-networkpolicy", "describe-configmap",
                                   "describe-ingress"};
/// What kubectl 1.32 prints in the order in which Go gives the members of a map: another one each time.
const std::set<std::string> kInAnyOrder{"describe-configmap"};

/// Addresses, ports, times, ages and identities; and how wide the columns are, which follows from them.
std::string without_its_own(std::string text) {
  static const std::vector<std::pair<std::regex, const char*>> kOwn{
      {std::regex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"},
      {std::regex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"), "TIME"},
      {std::regex("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}(\\.[0-9]+)? \\+0000( UTC)?"), "TIME"},
      {std::regex("[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} \\+0000"), "TIME"},
      {std::regex("10\\.(9[6-9]|10[0-9]|11[01])\\.[0-9]+\\.[0-9]+"), "CLUSTER-IP"},
      {std::regex("\\b3[0-2][0-9]{3}\\b"), "NODE-PORT"},
      {std::regex("resourceVersion\"?: ?\"[0-9]+\""), "VERSION"},
      {std::regex("/tmp/(LIVE|MERGED)-[0-9]+"), "/tmp/$1"},
      {std::regex("([ \n])([0-9]+[dhms])+(?=\\s|$)"), "$1AGE"},
      {std::regex(" +"), " "},
      {std::regex(" \n"), "\n"}};
  for (const auto& [pattern, name] : kOwn) text = std::regex_replace(text, pattern, name);
  return text;
}

std::string with_lines_sorted(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "\n"));
}

/// Of what was long the recording kept the first characters, of complaints fewer.
constexpr std::size_t kKept = 600;
constexpr std::size_t kKeptOfErrors = 500;

bool same(const std::string& printed, const std::string& recorded, std::size_t kept) {
  constexpr std::size_t kTornWord = 12;
  auto wanted = without_its_own(recorded);
  auto seen = without_its_own(printed);
  if (recorded.size() >= kept) {
    wanted.resize(wanted.size() - kTornWord);
    seen.resize(std::min(seen.size(), wanted.size()));
  }
  return seen == wanted;
}

class KubectlTable : public ApiTest, public testing::WithParamInterface<std::string> {};

TEST_P(KubectlTable, IsAnsweredAsByARealServer) {
  const auto program = kubectl_of(GetParam());
  if (!program) GTEST_SKIP() << "kubectl " << GetParam() << " isn't here";
  serve();
  const std::filesystem::path directory(kStateDirectory);
  std::ifstream file(std::string(KNETSIM_RECORDED) + "/kubectl-table.json");
  const auto table = json::parse(file);
  for (const auto& [name, text] : table["files"].items())
    std::ofstream(directory / name) << text.get_ref<const std::string&>();
  std::set<std::string> left_out;
  std::size_t compared = 0;
  for (const auto& row : table["rows"]) {
    const auto& name = row["name"].get_ref<const std::string&>();
    const bool is_left_out = kLeftOut.contains(name);
    if (is_left_out) left_out.insert(name);
    if (row["rc"] == "timeout") continue;
    auto command = kubectl_command(*program, row["argv"].get<std::vector<std::string>>());
    command.directory = directory;
    command.environment["KUBE_EDITOR"] = "sed -i s/two/TWO/";
    command.environment["TZ"] = "UTC";
    const auto result = exec(command, kExecTimeout, row.value("stdin", ""));
    const bool any_order = kInAnyOrder.contains(name);
    const bool is_as_recorded = result.status.code() == row["rc"].get<int>() &&
                                same(result.err, row["err"], kKeptOfErrors) &&
                                (any_order ? with_lines_sorted(result.out) == with_lines_sorted(row["out"])
                                           : same(result.out, row["out"], kKept));
    const bool is_other_version = GetParam() != "1.32";
    if (is_left_out || (is_other_version && kWords.contains(name))) {
      EXPECT_TRUE(is_other_version || !is_as_recorded) << name << " can be compared now";
      continue;
    }
    ++compared;
    EXPECT_TRUE(is_as_recorded) << name << ": exit code " << result.status.code().value_or(-1) << '\n'
                                << result.out << result.err << "recorded:\n"
                                << row["out"].get_ref<const std::string&>() << row["err"].get_ref<const std::string&>();
  }
  EXPECT_EQ(left_out.size(), kLeftOut.size());
  EXPECT_GE(compared, 116U);
}

INSTANTIATE_TEST_SUITE_P(Kubectl, KubectlTable, testing::Values("1.30", "1.31", "1.32", "1.33"),
                         [](const auto& version) {
                           return "v" + version.param.substr(0, 1) + "_" + version.param.substr(2);
                         });

}  // namespace
}  // namespace knetsim::apiserver::test
