// Whose API server and controllers: knetsim's, or the real ones, on the same keys and JSON in etcd.
//
// Topology: pair.json.

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/kube_matchers.h"
#include "knetsim/fixtures/prompt.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/parts/program.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::fixtures {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class KubeFlavours : public EmulationTest, public testing::WithParamInterface<std::string> {
 protected:
  void TearDown() override {
    EmulationTest::TearDown();
    for (const auto& [variable, value] : given_)
      if (value)
        ::setenv(variable, value->c_str(), 1);
      else
        ::unsetenv(variable);
  }
  /// Of whoever runs the test.
  std::optional<std::string> given_server() const { return given_.at("KNETSIM_APISERVER"); }
  static std::string kubectl(std::vector<std::string> arguments, const std::string& input = {}) {
    const auto result = exec(Emulation::kubectl(std::move(arguments)), kExecTimeout, input);
    EXPECT_TRUE(result.ok()) << result.err;
    return result.out;
  }
  static fs::path script(const std::string& name, const std::string& text) {
    const auto path = fs::path(kStateDirectory) / name;
    write_file_atomically(path, "#!/bin/sh\n" + text, 0755);
    return path;
  }

 private:
  static std::optional<std::string> set(const char* variable) { return parts::Environment::current().get(variable); }

  std::map<const char*, std::optional<std::string>, std::less<std::string_view>> given_{
      {"KNETSIM_APISERVER", set("KNETSIM_APISERVER")},
      {"KNETSIM_CONTROLLER_MANAGER", set("KNETSIM_CONTROLLER_MANAGER")}};
};

class KubeStandIns : public KubeFlavours {};

// What stands in for them notes how it was started. The one goes on as our own server, of whose arguments the real one
// has more: who asks it in plain HTTP is led to its TLS.
TEST_F(KubeStandIns, AreStartedAsTheRealOnesAre) {
  const auto noted = fs::path(kStateDirectory) / "noted";
  const auto server = script("kube-apiserver", R"(
[ "$1" = --version ] && echo Kubernetes v1.32.13 && exit
printf '%s\n' "$@" >)" + noted.string() + R"(.server
for flag; do case $flag in
  --etcd-servers=*|--bind-address=*|--secure-port=*|--tls-*|--client-ca-file=*|--token-auth-file=*|--advertise-address=*|\
  --kubelet-client-*|--kubelet-certificate-authority=*|--service-account-signing-key-file=*|--service-cluster-ip-range=*|--service-node-port-range=*) set -- "$@" "$flag" ;;
esac; shift; done
exec )" + (knetsim_program().parent_path() / "knetsim-apiserver").string() +
                                                   R"( "$@" --listen=127.0.0.1:1
)");
  const auto manager = script("kube-controller-manager", R"(
[ "$1" = --version ] && echo Kubernetes v1.32.13 && exit
printf '%s\n' "$@" >)" + noted.string() + R"(.manager
exec sleep 1000
)");
  ::setenv("KNETSIM_APISERVER", server.c_str(), 1);
  ::setenv("KNETSIM_CONTROLLER_MANAGER", manager.c_str(), 1);
  boot(topology("pair.json"));
  emulation().start_apis();
  EXPECT_THAT(kubectl({"get", "nodes"}), ContainsRegex("w1 +Ready "));
  const auto keys = (cluster().etcd_nodes().front()->directory() / "pki").string();
  EXPECT_THAT(
      read_file(noted.string() + ".server"),
      AllOf(HasSubstr("--etcd-servers=http://10.0.0.1:2379\n"), HasSubstr("--secure-port=6443\n"),
            HasSubstr("--service-cluster-ip-range=10.96.0.0/16\n"), HasSubstr("--anonymous-auth=false\n"),
            HasSubstr("--service-account-key-file=" + keys + "/sa.key\n"),
            HasSubstr("--authorization-mode=AlwaysAllow\n"), HasSubstr("--disable-admission-plugins=ServiceAccount\n"),
            HasSubstr("--advertise-address=10.0.0.1\n"), HasSubstr("--storage-media-type=application/json\n")));
  EXPECT_THAT(read_file(noted.string() + ".manager"),
              AllOf(HasSubstr("--kubeconfig=" + keys + "/controllers.kubeconfig\n"),
                    HasSubstr("--leader-elect=false\n"), HasSubstr("--use-service-account-credentials=false\n"),
                    HasSubstr("--service-account-private-key-file=" + keys + "/sa.key\n"),
                    HasSubstr("--root-ca-file=" + keys + "/ca.crt\n")));
  // Beside it our scheduler places pods, and nothing else of ours acts.
  kubectl({"run", "placed", "--image=busybox", "--restart=Never", "--command", "--", "true"});
  eventually([&]() -> std::optional<std::string> {
    return kubectl({"get", "pod", "placed", "-o", "jsonpath={.spec.nodeName}"}).empty() ? std::optional("a node for it")
                                                                                        : std::nullopt;
  });
  // It asks kubelets as whom it was told that it is.
  EXPECT_EQ(kubectl({"exec", "c1", "--", "echo", "said"}), "said\n");
  EXPECT_THAT(kubectl({"get", "serviceaccounts", "-A"}), Not(HasSubstr("kube-public")));
  cluster().api_server()->restart();
  EXPECT_THAT(kubectl({"get", "pods"}), HasSubstr("placed"));
}

TEST_F(KubeStandIns, AreAskedForByNameAndNeverReplaced) {
  ::setenv("KNETSIM_APISERVER", "/no/such/kube-apiserver", 1);
  boot(topology("pair.json"));
  EXPECT_THAT([&] { emulation().start_apis(); },
              testing::ThrowsMessage<InputError>(
                  AllOf(HasSubstr("KNETSIM_APISERVER=/no/such/kube-apiserver"), HasSubstr("remedy:"))));
}

TEST_P(KubeFlavours, KeepWhatTheOthersHaveWritten) {
  const auto given = given_server().value_or("real");
  if (GetParam() == "real" && given == "real" && !find_program("kube-apiserver"))
    GTEST_SKIP() << "there is no kube-apiserver here";
  ::setenv("KNETSIM_APISERVER", GetParam() == "real" ? given.c_str() : "builtin", 1);
  boot(topology("pair.json"));
  emulation().start_apis();
  EXPECT_THAT(kubectl({"get", "nodes"}), ContainsRegex("w1 +Ready "));
  kubectl({"create", "configmap", "notes", "--from-literal=a=1"});
  EXPECT_EQ(kubectl({"get", "configmap", "notes", "-o", "jsonpath={.data.a}"}), "1");
  EXPECT_THAT(cluster().etcd().client().get("/registry/configmaps/default/notes").value().value,
              testing::StartsWith("{"));
}

INSTANTIATE_TEST_SUITE_P(Servers, KubeFlavours, testing::Values("builtin", "real"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace knetsim::fixtures
