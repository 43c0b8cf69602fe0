// The real kubectl.
#include "kubectl.h"

#include <cstdlib>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

/// Debian 12's is 1.20: it leaves the fields of what is sent to the server's warnings, and can't wait for a path.
bool is_new() {
  constexpr int kFirst = 27;
  return minor_version(kubectl()) >= kFirst;
}

class RealKubectl : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve();
  }

  static Command command(const std::vector<std::string>& arguments) { return kubectl_command(kubectl(), arguments); }
  static ExecResult run(const std::vector<std::string>& arguments, const std::string& input = {}) {
    return exec(command(arguments), kExecTimeout, input);
  }
  /// What it prints, when it succeeds.
  static std::string out(const std::vector<std::string>& arguments, const std::string& input = {}) {
    const auto result = run(arguments, input);
    EXPECT_TRUE(result.ok()) << result.err;
    return result.out;
  }
};

constexpr const char* kManifest = R"(apiVersion: v1
kind: ConfigMap
metadata:
  name: cfg
data:
  greeting: hello
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
  - name: http
    port: 80
    targetPort: 8080
)";

TEST_F(RealKubectl, AppliesLooksChangesAndDeletes) {
  EXPECT_EQ(out({"apply", "-f", "-"}, kManifest), "configmap/cfg created\nservice/web created\n");
  EXPECT_EQ(out({"apply", "-f", "-"}, kManifest), "configmap/cfg unchanged\nservice/web unchanged\n");
  std::string changed = kManifest;
  changed.replace(changed.find("port: 80\n"), 9, "port: 81\n");
  EXPECT_EQ(out({"apply", "-f", "-"}, changed), "configmap/cfg unchanged\nservice/web configured\n");
  EXPECT_THAT(out({"get", "nodes,pods,svc", "-A"}),
              AllOf(HasSubstr("NAMESPACE"), HasSubstr("service/kubernetes"), HasSubstr("81/TCP")));
  EXPECT_THAT(out({"get", "svc", "web", "-o", "wide"}), AllOf(HasSubstr("SELECTOR"), HasSubstr("app=web")));
  EXPECT_EQ(out({"get", "cm", "cfg", "-o", "jsonpath={.data.greeting}"}), "hello");
  EXPECT_THAT(out({"describe", "svc", "web"}),
              AllOf(ContainsRegex("Type: +ClusterIP\n"), ContainsRegex("Port: +http  81/TCP\n")));
  EXPECT_EQ(out({"delete", "-f", "-"}, kManifest), "configmap \"cfg\" deleted\nservice \"web\" deleted\n");
  const auto gone = run({"get", "cm", "cfg"});
  EXPECT_EQ(gone.status.code(), 1);
  EXPECT_EQ(gone.err, "Error from server (NotFound): configmaps \"cfg\" not found\n");
}

TEST_F(RealKubectl, ChecksFieldsAgainstTheServer) {
  std::string odd = kManifest;
  odd.replace(odd.find("\ndata:"), 6, "\ndate:");
  const auto result = run({"apply", "-f", "-"}, odd);
  // One that doesn't ask for the check isn't refused.
  EXPECT_EQ(result.ok(), !is_new()) << result.err;
  EXPECT_THAT(result.err, HasSubstr(result.ok() ? "" : "unknown field \"date\""));
}

TEST_F(RealKubectl, WatchesAndWaits) {
  out({"apply", "-f", "-"}, kManifest);
  const auto log = std::filesystem::path(kStateDirectory) / "watch.log";
  auto watching = Process::spawn(command({"get", "cm", "-w", "-o", "name"}), log);
  const auto seen = [&](const std::string& line) {
    eventually([&]() -> std::optional<std::string> {
      if (read_file(log).find(line) != std::string::npos) return std::nullopt;
      return line + " in " + read_file(log);
    });
  };
  seen("configmap/cfg\n");
  out({"create", "-f", "-"}, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\n");
  seen("configmap/later\n");
  if (is_new()) {  // and, since before, paths to wait for
    EXPECT_THAT(out({"wait", "--for=jsonpath={.data.greeting}=hello", "cm/cfg", "--timeout=10s"}),
                HasSubstr("condition met"));
  }
  EXPECT_EQ(out({"delete", "cm", "later"}), "configmap \"later\" deleted\n") << "it waits until it is gone";
  EXPECT_TRUE(watching.running());
}

}  // namespace
}  // namespace knetsim::apiserver::test
