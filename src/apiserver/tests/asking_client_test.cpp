// The asking client, and the connection that it keeps.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "knetsim/apiserver/client.h"
#include "knetsim/sys/error.h"

namespace knetsim::apiserver::test {
namespace {

using boost::asio::ip::tcp;
using testing::ElementsAre;
using testing::HasSubstr;

/// Gives two answers, ends the connection, and does so with a second one.
class TwoForEach {
 public:
  TwoForEach() : thread_([this] { run(); }) {}
  ~TwoForEach() { thread_.join(); }
  TwoForEach(const TwoForEach&) = delete;
  TwoForEach& operator=(const TwoForEach&) = delete;

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void wait_for_the_first_ones_end() { first_ended_.get_future().wait(); }
  /// "2 GET /c": on the second connection. To be asked when all has been answered.
  std::vector<std::string> asked() {
    thread_.join();
    thread_ = std::thread([] {});
    return asked_;
  }

 private:
  void run() {
    for (int connection = 1; connection <= 2; ++connection) {
      tcp::socket socket(context_);
      acceptor_.accept(socket);
      for (int answers = 0; answers < 2; ++answers) {
        std::string text;
        boost::system::error_code gone;
        boost::asio::read_until(socket, boost::asio::dynamic_buffer(text), "\r\n\r\n", gone);
        if (gone) break;
        asked_.push_back(fmt::format("{} {}", connection, text.substr(0, text.find(" HTTP"))));
        boost::asio::write(socket, boost::asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")),
                           gone);
      }
      socket.close();
      if (connection == 1) first_ended_.set_value();
    }
  }

  boost::asio::io_context context_;
  tcp::acceptor acceptor_{context_, {boost::asio::ip::address_v4::loopback(), 0}};
  std::promise<void> first_ended_;
  std::vector<std::string> asked_;
  std::thread thread_;
};

TEST(AskingClient, KeepsItsConnectionUntilTheServerEndsIt) {
  TwoForEach server;
  knetsim::apiserver::Client client(boost::asio::ip::address_v4::loopback(), server.port());
  EXPECT_TRUE(client.ask("GET", "/a").good());
  EXPECT_TRUE(client.ask("GET", "/b").good());
  server.wait_for_the_first_ones_end();
  EXPECT_TRUE(client.ask("GET", "/c").good());
  EXPECT_TRUE(client.ask("GET", "/d").good());
  EXPECT_THAT(server.asked(), ElementsAre("1 GET /a", "1 GET /b", "2 GET /c", "2 GET /d"));
}

TEST(AskingClient, SaysWhatItAskedOfWhomWhenNobodyAnswers) {
  knetsim::apiserver::Client client(boost::asio::ip::address_v4::loopback(), 1);
  try {
    client.ask("GET", "/livez");
    ADD_FAILURE() << "somebody answered";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("GET /livez"), HasSubstr("refused")));
  }
}

}  // namespace
}  // namespace knetsim::apiserver::test
