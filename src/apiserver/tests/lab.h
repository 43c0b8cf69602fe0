#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client.h"
#include "knetsim/etcd/ensemble.h"
#include "knetsim/sys/process.h"

namespace knetsim::apiserver::test {

/// A real etcd and the program knetsim-apiserver, on the sandbox's loopback.
class ApiTest : public testing::Test {
 protected:
  void SetUp() override;

  /// Starts the server and waits until it is ready.
  void serve(const std::vector<std::string>& more_flags = {});
  Process& server() { return *server_; }
  etcd::Member& member() { return ensemble_->members().front(); }
  etcd::SyncClient etcd() { return ensemble_->client(); }
  Client& client() { return *client_; }
  /// A namespace, without which nothing can be made.
  void make_namespace(const std::string& name);

 private:
  std::optional<etcd::Ensemble> ensemble_;
  std::optional<Process> server_;
  std::optional<Client> client_;
};

nlohmann::json config_map(const std::string& name, const nlohmann::json& data = {{"a", "1"}},
                          const nlohmann::json& labels = nlohmann::json::object());
nlohmann::json service(const std::string& name, nlohmann::json spec = {});

inline constexpr const char* kConfigMaps = "/api/v1/namespaces/shop/configmaps";
inline constexpr const char* kServices = "/api/v1/namespaces/shop/services";

}  // namespace knetsim::apiserver::test
