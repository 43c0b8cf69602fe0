#include "doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "fakes.h"
#include "knetsim/parts/part.h"
#include "knetsim/sys/file.h"

namespace knetsim::cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::Not;
using State = Finding::State;

auto Found(const char* name, State state, const char* detail) {
  return Contains(AllOf(Field("name", &Finding::name, name), Field("state", &Finding::state, state),
                        Field("detail", &Finding::detail, HasSubstr(detail))));
}

TEST(DoctorOfKernel, FindsByTryingWhatThisMachineHas) {
  const auto findings = examine_kernel();
  for (const auto* name : {"network namespaces", "sandbox", "veth", "bridge", "vxlan", "nftables rules of VIPs"})
    EXPECT_THAT(findings, Found(name, State::good, "works"));
}

TEST(Probe, LeavesNoTraceInTheNetworkItWasCalledIn) {
  const auto before = read_file("/proc/net/dev");
  examine_kernel();
  const auto names = [](const std::string& text) { return std::count(text.begin(), text.end(), ':'); };
  EXPECT_EQ(names(read_file("/proc/net/dev")), names(before));
}

/// A program in the state directory that runs `script`.
std::string fake_program(const std::string& name, const std::string& script) {
  const auto program = scratch(name, "#!/bin/sh\n" + script + "\n");
  std::filesystem::permissions(program, std::filesystem::perms::all);
  return program.string();
}

TEST(DoctorOfPrograms, TellsTheirVersions) {
  fake_program("etcd", "echo etcd Version: 9.8.7");
  const Environment environment(Variables{{"PATH", std::string(kStateDirectory)}});
  EXPECT_THAT(examine_programs(), Found("etcd", State::good, "9.8.7  (/run/knetsim/etcd)"));
}

TEST(DoctorOfPrograms, NamesThePackageOfEachThatIsMissing) {
  const Environment environment(Variables{{"PATH", "/nonexistent"}, {"CNI_PATH", ""}});
  const auto findings = examine_programs();
  EXPECT_THAT(findings, Contains(AllOf(Field(&Finding::name, "etcd"), Field(&Finding::state, State::bad),
                                       Field(&Finding::remedy, "apt-get install etcd-server"))));
  EXPECT_THAT(findings, Contains(AllOf(Field(&Finding::name, "ping"), Field(&Finding::state, State::bad),
                                       Field(&Finding::remedy, "apt-get install iputils-ping"))));
  EXPECT_THAT(findings, Found("flanneld", State::optional, "knetsim-flanneld does its work"));
}

std::string fake_flanneld(const std::string& version) { return fake_program("flanneld", "echo v" + version + " >&2"); }

TEST(DoctorOfPrograms, JudgesARealFlanneldAsAnEmulationWould) {
  const Environment fit(Variables{{"KNETSIM_FLANNELD", fake_flanneld("0.27.4")}, {"KNETSIM_FLANNEL", "builtin"}});
  EXPECT_THAT(examine_programs(), Found("flanneld", State::good, "0.27.4  (/run/knetsim/flanneld)"));
  fake_flanneld("0.20.0");
  EXPECT_THAT(examine_programs(), Found("flanneld", State::bad, "use 0.21.3 or later"));
}

TEST(DoctorOfPrograms, JudgesARealRouterAsAnEmulationWould) {
  const auto program = fake_program("skrouterd", "echo 3.5.1");
  const Environment fit(Variables{{"KNETSIM_SKROUTERD", program}, {"KNETSIM_SKUPPER", "builtin"}});
  EXPECT_THAT(examine_programs(), Found("skrouterd", State::good, "3.5.1  (/run/knetsim/skrouterd)"));
  const Environment elsewhere(Variables{{"KNETSIM_SKUPPER_ROOT", "/run/knetsim"}, {"KNETSIM_SKROUTERD", "/absent"}});
  EXPECT_THAT(examine_programs(), Found("skrouterd", State::bad, "there is no /absent in it"));
}

TEST(DoctorOfPrograms, TellsHowEachPartIsChosen) {
  const auto findings = examine_programs();
  for (const auto* part : parts::kParts)
    EXPECT_THAT(findings,
                Contains(AllOf(Field(&Finding::group, "parts"),
                               Field(&Finding::detail, HasSubstr(std::string(part->variable) + "=auto, real")))))
        << part->name;
}

TEST(DoctorOfPrograms, DoesNotCallABrokenOneGood) {
  fake_program("etcd", "echo 3.4.1; echo libc is too old >&2; exit 1");
  const Environment environment(Variables{{"PATH", std::string(kStateDirectory)}});
  EXPECT_THAT(examine_programs(), Found("etcd", State::bad, "libc is too old"));
}

Machine machine_with(uid_t user, bool works, const std::string& capabilities = "000001ffffffffff") {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(kStateDirectory) / "sys";
  fs::create_directories(root / "kernel");
  fs::create_directories(root / "user");
  std::ofstream(root / "kernel/apparmor_restrict_unprivileged_userns") << "1\n";
  std::ofstream(root / "user/max_user_namespaces") << "0\n";
  return {user, works, root, scratch("status", "Name:\tx\nCapEff:\t" + capabilities + "\n")};
}

TEST(DoctorOfPrivileges, TellsAnOrdinaryUserWhichSettingForbidsAndHowToChangeIt) {
  const auto findings = examine_privileges(machine_with(1000, false));
  EXPECT_THAT(findings, Found("user", State::good, "uid 1000"));
  EXPECT_THAT(
      findings,
      Contains(AllOf(Field(&Finding::name, "kernel.apparmor_restrict_unprivileged_userns"),
                     Field(&Finding::state, State::bad),
                     Field(&Finding::remedy, HasSubstr("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")))));
  EXPECT_THAT(findings, Found("user.max_user_namespaces", State::bad, "= 0"));
  EXPECT_THAT(findings, Not(Contains(Field(&Finding::name, "kernel.unprivileged_userns_clone"))));
}

TEST(DoctorOfPrivileges, DoesNotMindASettingThatTheKernelDidNotApply) {
  EXPECT_TRUE(healthy(examine_privileges(machine_with(1000, true))));
  EXPECT_TRUE(healthy(examine_privileges(machine_with(0, true))));
}

TEST(DoctorOfPrivileges, TellsARootWithoutCapabilitiesFromARealOne) {
  EXPECT_THAT(examine_privileges(machine_with(0, true)), Found("user", State::good, "root"));
  const auto findings = examine_privileges(machine_with(0, false, "00000000a80425fb"));
  EXPECT_THAT(findings, Found("user", State::bad, "CAP_SYS_ADMIN CAP_NET_ADMIN"));
}

TEST(DoctorReport, IsAlignedAndEndsWithTheVerdict) {
  std::ostringstream out;
  const std::vector<Finding> findings{{"kernel", "veth", State::good, "works", ""},
                                      {"programs", "etcd", State::bad, "not found", "apt-get install etcd-server"},
                                      {"programs", "flanneld", State::optional, "not found", ""}};
  print_findings(findings, {out, out}, Style(false));
  EXPECT_EQ(out.str(),
            "kernel\n"
            "  ✓ veth      works\n"
            "\n"
            "programs\n"
            "  ✗ etcd      not found\n"
            "              remedy: apt-get install etcd-server\n"
            "  – flanneld  not found\n"
            "\n"
            "✗ missing: 1 thing\n");
  EXPECT_FALSE(healthy(findings));
}

TEST(Doctor, Exits1AndWritesJsonWhenSomethingIsMissing) {
  const auto path = scratch("doctor.json");
  const auto ran = knetsim({"doctor", "--json", path.string()}, {{"PATH", "/nonexistent"}});
  EXPECT_EQ(ran.code, 1) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("apt-get install etcd-server"));
  const auto json = nlohmann::json::parse(read_file(path));
  EXPECT_EQ(json["schema"], "knetsim.doctor/1");
  EXPECT_EQ(json["healthy"], false);
}

TEST(Doctor, Exits2WhenItsJsonCanNotBeWritten) {
  EXPECT_EQ(knetsim({"doctor", "--json", "/nowhere/at/all.json"}).code, 2);
}

}  // namespace
}  // namespace knetsim::cli
