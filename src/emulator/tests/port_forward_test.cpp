// Connections that are handed on to a node.
#include "knetsim/emulator/port_forward.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "knetsim/emulator/underlay.h"

namespace knetsim {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class ForwardedPort : public testing::Test {
 protected:
  static constexpr std::uint16_t kServed = 7'000;
  static constexpr std::uint16_t kNobodys = 7'001;

  ForwardedPort() {
    node_.netns().run([&] {
      const tcp::endpoint at(tcp::v4(), kServed);
      served_.open(at.protocol());
      served_.bind(at);
      served_.listen();
    });
  }
  /// Somebody who has connected, and is led to that port of the node.
  tcp::socket client(std::uint16_t port = kServed) {
    tcp::acceptor door(context_, {asio::ip::address_v4::loopback(), 0});
    const auto at = door.local_endpoint();
    forward_.add(Fd(door.release()), node_, port);
    tcp::socket socket(context_);
    socket.connect(at);
    wait_with_patience(socket);
    return socket;
  }
  tcp::socket server() {
    auto socket = served_.accept();
    wait_with_patience(socket);
    return socket;
  }
  static std::string all_of(tcp::socket& socket) {
    std::string said;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(said), error);
    return error == asio::error::eof ? said : said + " and then: " + error.message();
  }

 private:
  /// A test that hears nothing fails instead of hanging.
  static void wait_with_patience(tcp::socket& socket) {
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  Underlay underlay_{{.networks = {parse_network("10.0.0.0/8")}, .switches = {{.name = "t0"}}}};
  Node node_ = underlay_.plug({.name = "a", .addresses = {parse_address("10.0.0.1")}}, "t0");
  asio::io_context context_;
  tcp::acceptor served_{context_};
  PortForward forward_;
};

TEST_F(ForwardedPort, HandsOnTheEndOfOneSideAndWhatTheOtherSaysThen) {
  auto asking = client();
  auto answering = server();
  asio::write(asking, asio::buffer(std::string("a question")));
  asking.shutdown(tcp::socket::shutdown_send);
  EXPECT_EQ(all_of(answering), "a question");
  asio::write(answering, asio::buffer(std::string(1'000'000, 'x')));
  answering.shutdown(tcp::socket::shutdown_send);
  EXPECT_EQ(all_of(asking).size(), 1'000'000U);

  auto listening = client();
  auto talking = server();
  asio::write(talking, asio::buffer(std::string("a greeting")));
  talking.shutdown(tcp::socket::shutdown_send);
  EXPECT_EQ(all_of(listening), "a greeting");
  asio::write(listening, asio::buffer(std::string("thanks")));
  listening.shutdown(tcp::socket::shutdown_send);
  EXPECT_EQ(all_of(talking), "thanks");
}

TEST_F(ForwardedPort, EndsWhatNobodyServes) {
  auto lost = client(kNobodys);
  EXPECT_EQ(all_of(lost), "");
  auto found = client();
  auto served = server();
  asio::write(served, asio::buffer(std::string("here")));
  served.close();
  EXPECT_EQ(all_of(found), "here");
}

}  // namespace
}  // namespace knetsim
