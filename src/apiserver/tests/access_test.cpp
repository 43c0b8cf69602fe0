// How clients other than kubectl find an API server: a kubeconfig, and what is followed by it.
#include "knetsim/apiserver/access.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>

#include "knetsim/apiserver/pki.h"
#include "knetsim/apiserver/watch.h"
#include "knetsim/sys/base64.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"
#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

std::string written(const std::string& name, const std::string& content) {
  const auto path = std::filesystem::path(kStateDirectory) / name;
  std::ofstream(path) << content;
  return path.string();
}

json kubeconfig_of(const json& cluster, const json& user) {
  return {{"current-context", "here"},
          {"contexts", {{{"name", "here"}, {"context", {{"cluster", "c"}, {"user", "u"}}}}}},
          {"clusters", {{{"name", "c"}, {"cluster", cluster}}}},
          {"users", {{{"name", "u"}, {"user", user}}}}};
}

Access access_of(const json& cluster, const json& user = json::object()) {
  return read_kubeconfig(written("config", kubeconfig_of(cluster, user).dump()));
}

std::string refusal(const json& cluster, const json& user) {
  try {
    (void)access_of(cluster, user);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

class ApiServerAccess : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    const auto own =
        authority_.for_server({.user = "kube-apiserver"}, {"kubernetes"}, {boost::asio::ip::make_address("127.0.0.1")});
    serve({"--tls-cert-file=" + written("server.crt", own.certificate),
           "--tls-private-key-file=" + written("server.key", own.key),
           "--client-ca-file=" + written("ca.crt", authority_.certificate()),
           "--token-auth-file=" + written("tokens.csv", "0123456789abcdef,lab,1\n")});
    make_namespace("shop");
    client().post(kConfigMaps, config_map("there"));
  }

  /// What an informer finds, or what it says is in its way.
  static std::string found(const Access& access) {
    boost::asio::io_context context;
    std::string result;
    const Informer informer(
        context, access, {.path = kConfigMaps},
        {.changed = [&](const json*, const json* now) { result = now->at("metadata").at("name").get<std::string>(); },
         .interrupted = [&](const std::string& why) { result = why; }});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (result.empty() && std::chrono::steady_clock::now() < deadline) context.run_one_until(deadline);
    return result;
  }
  const Authority& authority() const { return authority_; }
  static json trusting(const Authority& whom) {
    return {{"server", "https://127.0.0.1:6443"}, {"certificate-authority-data", base64_encode(whom.certificate())}};
  }

 private:
  Authority authority_{"the lab"};
};

TEST_F(ApiServerAccess, IsAsAKubeconfigSaysAndNotWithoutWhatItNames) {
  const auto shown = authority().for_client({.user = "system:kube-proxy"});
  const json certificate{{"client-certificate-data", base64_encode(shown.certificate)},
                         {"client-key-data", base64_encode(shown.key)}};
  const auto cluster = trusting(authority());
  EXPECT_EQ(found(access_of(cluster, certificate)), "there");
  EXPECT_EQ(found(access_of(cluster, {{"token", "0123456789abcdef"}})), "there");
  EXPECT_EQ(found(access_of({{"server", "http://127.0.0.1:8001"}})), "there") << "in plain HTTP";
  EXPECT_THAT(found(access_of(cluster)), HasSubstr("Unauthorized"));
  const Authority another("another");
  EXPECT_THAT(found(access_of(trusting(another), certificate)), HasSubstr("certificate verify failed"));
  auto elsewhere = cluster;
  elsewhere["tls-server-name"] = "elsewhere";
  EXPECT_THAT(found(access_of(elsewhere, certificate)), HasSubstr("certificate verify failed"));
  elsewhere["insecure-skip-tls-verify"] = true;
  EXPECT_EQ(found(access_of(elsewhere, certificate)), "there");
  written("shown.crt", shown.certificate);
  written("shown.key", shown.key);
  // YAML, with files beside it.
  const auto file =
      written("config.yaml",
              "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
              "contexts: [{name: a, context: {cluster: b, user: c}}]\n"
              "clusters: [{name: b, cluster: {server: 'https://127.0.0.1:6443', certificate-authority: ca.crt}}]\n"
              "users: [{name: c, user: {client-certificate: shown.crt, client-key: shown.key}}]\n");
  EXPECT_EQ(found(read_kubeconfig(file)), "there");
}

TEST(Kubeconfigs, ThatCannotBeUsedAreRefusedByFileAndField) {
  const Authority lab("the lab");
  const auto shown = lab.for_client({.user = "somebody"});
  const json good{{"server", "https://10.0.0.1:6443"}};
  const auto with = [](json object, const char* field, const json& value) {
    object[field] = value;
    return object;
  };
  struct Case {
    json cluster;
    json user;
    const char* told;
  };
  const auto object = json::object();
  ASSERT_EQ(::mkfifo((std::string(kStateDirectory) + "/pipe").c_str(), 0600), 0);
  for (const auto& [cluster, user, told] :
       {Case{{{"server", "https://api.example:6443"}}, object, "read server: \"https://api.example:6443\" isn't"},
        Case{{{"server", "10.0.0.1:6443"}}, object, "read server"},
        Case{{{"server", "https://10.0.0.1:0"}}, object, "read server"}, Case{{{"server", 5}}, object, "read server"},
        Case{with(good, "certificate-authority-data", "???"), object,
             "read certificate-authority-data: it isn't base64"},
        Case{with(good, "certificate-authority-data", base64_encode("nothing")), object, "read certificate-authority"},
        Case{with(good, "certificate-authority", "no-such-file"), object, "no-such-file"},
        Case{with(good, "certificate-authority", "/dev/zero"), object, "/dev/zero"},
        Case{with(good, "certificate-authority", "pipe"), object, "/pipe"},
        Case{good, {{"client-certificate-data", base64_encode(shown.certificate)}}, "read client-key"},
        Case{good,
             {{"client-certificate-data", base64_encode(shown.certificate)},
              {"client-key-data", base64_encode(new_signing_key())}},
             "read client-key"},
        Case{good, {{"exec", {{"command", "aws"}}}}, "aren't run"}}) {
    SCOPED_TRACE(cluster.dump() + user.dump());
    EXPECT_THAT(refusal(cluster, user),
                AllOf(HasSubstr(std::string(kStateDirectory) + "/config"), HasSubstr(told), HasSubstr("remedy")));
  }
  auto config = kubeconfig_of(good, object);
  config["current-context"] = "elsewhere";
  for (const auto& text : {config.dump(), std::string("{"), std::string("[]"), std::string()})
    EXPECT_THROW((void)read_kubeconfig(written("config", text)), InputError) << text;
  EXPECT_THROW((void)read_kubeconfig("/no/such/file"), InputError);
}

}  // namespace
}  // namespace knetsim::apiserver::test
