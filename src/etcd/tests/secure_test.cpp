// The client and a real etcd that speaks TLS, wants a client's certificate, and has users.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/etcd/sync_client.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::etcd {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using testing::ThrowsMessage;
using namespace std::chrono_literals;

class SecureEtcd : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_);
    make_certificate("ca", {});
    make_certificate("server", {"-CA", file("ca.pem"), "-CAkey", file("ca.key")});
    make_certificate("other", {});
    start();
    for (const std::vector<std::string>& words : {std::vector<std::string>{"user", "add", "root:secret"},
                                                  {"user", "grant-role", "root", "root"},
                                                  {"auth", "enable"}})
      etcdctl(words);
  }

  std::string file(const std::string& name) const { return (directory_ / name).string(); }

  void start() {
    const std::string url = "https://127.0.0.1:2379";
    const std::string peer = "http://127.0.0.1:2380";
    etcd_.emplace(Process::spawn(
        {.argv = {require_program("etcd").string(), "--data-dir=" + file("data"), "--listen-client-urls=" + url,
                  "--advertise-client-urls=" + url, "--listen-peer-urls=" + peer,
                  "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
                  "--cert-file=" + file("server.pem"), "--key-file=" + file("server.key"), "--client-cert-auth",
                  "--trusted-ca-file=" + file("ca.pem"), "--heartbeat-interval=10", "--election-timeout=50"},
         .netns = &netns_},
        directory_ / "log"));
    // It answers before anybody can log in.
    eventually(
        [&]() -> std::optional<std::string> {
          try {
            client(options_without_user()).health();
            return std::nullopt;
          } catch (const Error& error) {
            return error.what();
          }
        },
        20s);
  }
  void restart() {
    etcd_->signal(SIGTERM);
    etcd_->wait(20s);
    start();
  }

  ClientOptions options_without_user() const {
    ClientOptions options;
    options.endpoints = {"https://127.0.0.1:2379"};
    options.tls = {.ca = file("ca.pem"), .certificate = file("server.pem"), .key = file("server.key")};
    return options;
  }
  ClientOptions options() const {
    auto all = options_without_user();
    all.username = "root";
    all.password = "secret";
    return all;
  }
  SyncClient client(ClientOptions options) const { return SyncClient(netns_, std::move(options)); }

 private:
  /// Without a CommonName: with users, etcd's gateway turns a client away whose certificate has one.
  void make_certificate(const std::string& name, const std::vector<std::string>& issuer) {
    Command command{.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                             "-nodes", "-days", "2", "-subj", "/O=" + name, "-addext", "subjectAltName=IP:127.0.0.1",
                             "-keyout", file(name + ".key"), "-out", file(name + ".pem")}};
    command.argv.insert(command.argv.end(), issuer.begin(), issuer.end());
    const auto made = exec(command);
    ASSERT_TRUE(made.ok()) << made.err;
  }
  void etcdctl(std::vector<std::string> words) {
    words.insert(words.begin(), {"etcdctl", "--endpoints=https://127.0.0.1:2379", "--cacert=" + file("ca.pem"),
                                 "--cert=" + file("server.pem"), "--key=" + file("server.key")});
    eventually(
        [&]() -> std::optional<std::string> {
          const auto done = exec({.argv = words, .netns = &netns_, .environment = {{"ETCDCTL_API", "3"}}});
          if (done.ok() || done.err.find("already exists") != std::string::npos) return std::nullopt;
          return done.err;
        },
        20s);
  }

  std::filesystem::path directory_ = std::filesystem::path(kStateDirectory) / "secure";
  NetNs netns_ = NetNs::create();
  std::optional<Process> etcd_;
};

TEST_F(SecureEtcd, ServesAUserWithACertificateAndAPassword) {
  auto etcd = client(options());
  auto watcher = etcd.watch("/a/", 0, 20s);
  const auto lease = etcd.grant(60s);
  etcd.txn({.compares = {absent("/a/b")}, .then = {Put{"/a/b", "1", lease.id}}, .otherwise = {}});
  EXPECT_EQ(etcd.get("/a/b")->value, "1");
  EXPECT_THAT(etcd.list("/a/").kvs, SizeIs(1));
  const auto events = watcher.next(20s);
  ASSERT_TRUE(events);
  EXPECT_EQ(events->events.front().kv.key, "/a/b");
  // Its tokens don't outlive it; neither a call nor a watch does notice.
  restart();
  eventually(
      [&]() -> std::optional<std::string> {
        try {
          etcd.put("/a/c", "2");
          return std::nullopt;
        } catch (const Error& error) {
          return error.what();
        }
      },
      20s);
  const auto later = watcher.next(20s);
  ASSERT_TRUE(later);
  EXPECT_EQ(later->events.front().kv.key, "/a/c");
}

TEST_F(SecureEtcd, RefusesWhoHasNotWhatItTakes) {
  const auto said = [&](const auto& change) {
    auto changed = options();
    change(changed);
    try {
      client(changed).get("/a");
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
    return std::string("served");
  };
  EXPECT_EQ(said([](auto&) {}), "served");
  EXPECT_THAT(said([](auto& o) { o.password = "wrong"; }), HasSubstr("authentication failed"));
  EXPECT_THAT(said([](auto& o) { o.username.clear(); }), HasSubstr("permission denied"));
  EXPECT_THAT(said([&](auto& o) { o.tls.ca = file("other.pem"); }), HasSubstr("certificate verify failed"));
  EXPECT_THAT(said([](auto& o) { o.tls.ca.clear(); }), HasSubstr("certificate verify failed"));
  EXPECT_THAT(said([](auto& o) { o.endpoints = {"https://localhost:2379"}; }), HasSubstr("certificate verify failed"));
  EXPECT_THAT(said([](auto& o) { o.tls.certificate.clear(), o.tls.key.clear(); }), HasSubstr("https://127.0.0.1:2379"));
  EXPECT_THAT(said([](auto& o) { o.tls.key.clear(); }), HasSubstr("needs its key"));
  EXPECT_THAT(said([](auto& o) { o.tls.ca = "/nowhere.pem"; }), HasSubstr("/nowhere.pem"));
  EXPECT_THAT(said([](auto& o) { o.endpoints = {"http://127.0.0.1:2379"}; }), HasSubstr("http://127.0.0.1:2379"));
  // What isn't asked for is looked at all the same.
  const auto plain = [](auto& o) { o.endpoints = {"http://127.0.0.1:2379"}; };
  EXPECT_THAT(said([&](auto& o) { plain(o), o.tls.ca = "/nowhere.pem"; }), HasSubstr("/nowhere.pem: can't use it"));
  EXPECT_THAT(said([&](auto& o) { plain(o), o.tls.key.clear(); }), HasSubstr("needs its key"));
}

}  // namespace
}  // namespace knetsim::etcd
