// Volumes whose files follow what they are made of.
#include "../kubelet/pod_volumes.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::kubelet {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using nlohmann::json;

/// Answers every question with one ConfigMap.
class OneConfigMap {
 public:
  OneConfigMap() {
    asio::co_spawn(context_, serve(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }
  OneConfigMap(OneConfigMap&&) = delete;
  ~OneConfigMap() {
    context_.stop();
    thread_.join();
  }
  tcp::endpoint address() const { return acceptor_.local_endpoint(); }
  void set(std::string value) {
    asio::post(context_, [this, value = std::move(value)]() mutable { value_ = std::move(value); });
  }

 private:
  asio::awaitable<void> serve() {
    for (;;) asio::co_spawn(context_, answer(co_await acceptor_.async_accept(asio::use_awaitable)), asio::detached);
  }
  asio::awaitable<void> answer(tcp::socket socket) {
    boost::beast::flat_buffer buffer;
    for (;;) {
      http::request<http::string_body> request;
      co_await http::async_read(socket, buffer, request, asio::use_awaitable);
      http::response<http::string_body> response(http::status::ok, 11);
      response.set(http::field::content_type, "application/json");
      response.body() = json{{"metadata", {{"name", "cfg"}}}, {"data", {{"key", value_}}}}.dump();
      response.prepare_payload();
      co_await http::async_write(socket, response, asio::use_awaitable);
    }
  }

  asio::io_context context_;
  tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
  std::string value_ = "first";
  std::thread thread_;
};

TEST(PodVolumesOnDisk, FollowWhatTheyAreMadeOf) {
  OneConfigMap server;
  asio::io_context context;
  ApiCalls calls(context, server.address());
  const json pod{{"metadata", {{"name", "web"}, {"namespace", "shop"}}},
                 {"spec", {{"volumes", {{{"name", "v"}, {"configMap", {{"name", "cfg"}}}}}}}}};
  const auto directory = std::filesystem::path(kStateDirectory) / "volumes";
  PodVolumes volumes(context, calls, pod, directory, std::chrono::milliseconds(20));
  std::optional<std::string> trouble = "nothing was told";
  volumes.begin([&](const std::optional<std::string>& told) { trouble = told; });
  const auto reads = [&](const std::string& wanted) {
    eventually([&]() -> std::optional<std::string> {
      context.run_for(std::chrono::milliseconds(10));
      if (!volumes.ready()) return "volumes that are ready";
      const auto found = read_file(directory / "v" / "key");
      return found == wanted ? std::nullopt : std::optional(wanted + " in the place of " + found);
    });
  };
  reads("first");
  EXPECT_EQ(trouble, std::nullopt);
  server.set("second");
  reads("second");
  volumes.remove();
  EXPECT_FALSE(std::filesystem::exists(directory));
}

}  // namespace
}  // namespace knetsim::kubelet
