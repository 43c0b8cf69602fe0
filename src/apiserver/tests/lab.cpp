#include "lab.h"

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::apiserver::test {

namespace {

const std::filesystem::path kDirectory = kStateDirectory;

}  // namespace

void ApiTest::SetUp() {
  etcd::MemberSpec spec;
  spec.name = "m1";
  spec.address = boost::asio::ip::make_address("127.0.0.2");
  spec.directory = kDirectory / "m1";
  spec.log = kDirectory / "m1.log";
  ensemble_ = etcd::Ensemble::start({spec});
}

void ApiTest::serve(const std::vector<std::string>& more_flags) {
  server_.reset();
  client_.emplace();
  Command command;
  command.argv = {(own_directory() / "knetsim-apiserver").string(), "--etcd-servers=http://127.0.0.2:2379"};
  command.argv.insert(command.argv.end(), more_flags.begin(), more_flags.end());
  command.directory = kDirectory;
  const auto log = kDirectory / "apiserver.log";
  const auto before = std::filesystem::exists(log) ? read_file(log).size() : 0;
  server_ = Process::spawn(command, log);
  wait_until_ready(*server_, {.deed = "served",
                              .probe = [&]() -> std::optional<std::string> {
                                if (read_file(log).find("serving on", before) != std::string::npos) return std::nullopt;
                                return "the line \"serving on\" in its log";
                              },
                              .watched = log});
}

void ApiTest::make_namespace(const std::string& name) {
  ASSERT_EQ(client_->post("/api/v1/namespaces", {{"metadata", {{"name", name}}}}).status, 201U);
}

nlohmann::json config_map(const std::string& name, const nlohmann::json& data, const nlohmann::json& labels) {
  nlohmann::json object{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}}}, {"data", data}};
  if (!labels.empty()) object["metadata"]["labels"] = labels;
  return object;
}

nlohmann::json service(const std::string& name, nlohmann::json spec) {
  if (spec.is_null()) spec = nlohmann::json::object();
  if (!spec.contains("ports")) spec["ports"] = {{{"port", 80}}};
  return {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", name}}}, {"spec", spec}};
}

}  // namespace knetsim::apiserver::test
