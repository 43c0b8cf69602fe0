// port-forward at a kubelet's endpoint, spoken to as kubectl does: SPDY in the messages of a WebSocket.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <optional>
#include <thread>

#include "../kubelet_server.h"
#include "../spdy.h"
#include "knetsim/sys/error.h"
#include "kubelet_client.h"

namespace knetsim {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using test::StreamClient;
using testing::HasSubstr;
using testing::StartsWith;

/// A pod whose network is the test's own.
class OwnNetwork : public PodRuntime {
 public:
  PodProgram start(const PodContainer&, std::vector<std::string>, Streams) override {
    throw InputError("nothing runs");
  }
  PodAttachment attach(const PodContainer&) override { throw InputError("nothing runs"); }
  PodLog log(const PodContainer&, bool) override { throw InputError("nothing runs"); }
  Fd socket_in(const PodContainer& pod) override {
    if (pod.node != "w1" || pod.ns != "shop" || pod.pod != "web") throw InputError("there is web alone");
    return tcp_socket_in(NetNs::current());
  }
};

/// Answers each connection with what came, once its client has said all.
class Echo {
 public:
  Echo() : thread_([this] { run(); }) {}
  ~Echo() {
    boost::system::error_code ignored;
    tcp::socket last(context_);
    stopping_ = true;
    last.connect(acceptor_.local_endpoint(), ignored);
    last.close(ignored);
    thread_.join();
  }
  std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }

 private:
  void run() {
    while (!stopping_) {
      boost::system::error_code error;
      auto socket = acceptor_.accept(error);
      std::string said;
      asio::read(socket, asio::dynamic_buffer(said), error);
      asio::write(socket, asio::buffer(said), error);
    }
  }

  asio::io_context context_;
  tcp::acceptor acceptor_{context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

class PortForwarding : public testing::Test {
 protected:
  PortForwarding() { server_.listen("w1", NetNs::current(), test::kubelet_w1); }

  static std::string target(const std::string& pod = "web") { return "/portForward/shop/" + pod; }
  static constexpr const char* kProtocol = "SPDY/3.1+portforward.k8s.io";

 private:
  OwnNetwork pods_;
  KubeletServer server_{pods_};
};

/// kubectl's end of one.
class Forward {
 public:
  explicit Forward(const std::string& target) : client_(target, "SPDY/3.1+portforward.k8s.io") {}

  /// A connection: its streams are `number` and `number` + 2.
  void open(std::uint32_t number, const std::string& port, const std::string& called = {}) {
    const auto id = called.empty() ? std::to_string(number) : called;
    send(writer_.syn_stream(number, {{"streamtype", "error"}, {"port", port}, {"requestid", id}}));
    send(spdy::Writer::data(number, {}, true));
    send(writer_.syn_stream(number + 2, {{"streamtype", "data"}, {"port", port}, {"requestid", id}}));
  }
  /// One stream of it alone.
  void ask(std::uint32_t stream, const std::string& id) {
    send(writer_.syn_stream(stream, {{"streamtype", "error"}, {"port", "80"}, {"requestid", id}}));
  }
  void send(const std::string& bytes) {
    client_.send(static_cast<unsigned char>(bytes.front()), std::string_view(bytes).substr(1));
  }
  /// What a stream says to its end.
  std::string all_of(std::uint32_t stream) {
    while (!ended_[stream]) read();
    return said_[stream];
  }
  spdy::Frame next() {
    for (;;) {
      if (auto frame = reader_.next()) return *std::move(frame);
      const auto [first, rest] = client_.next();
      reader_.take(static_cast<char>(first) + rest);
    }
  }

 private:
  void read() {
    const auto frame = next();
    if (frame.kind != spdy::Kind::data) return;
    said_[frame.stream] += frame.data;
    ended_[frame.stream] = ended_[frame.stream] || frame.last;
  }

  StreamClient client_;
  spdy::Writer writer_;
  spdy::Reader reader_;
  std::map<std::uint32_t, std::string> said_;
  std::map<std::uint32_t, bool> ended_;
};

TEST_F(PortForwarding, CarriesConnectionsSideBySide) {
  const Echo echo;
  Forward forward(target());
  std::string much;
  for (int i = 0; much.size() < 300'000; ++i) much += std::to_string(i);
  forward.open(1, echo.port());
  for (const std::uint32_t stream : {1U, 3U}) {
    const auto answer = forward.next();
    EXPECT_EQ(answer.kind, spdy::Kind::syn_reply);
    EXPECT_EQ(answer.stream, stream);
  }
  forward.open(5, echo.port());
  for (std::size_t at = 0; at < much.size(); at += 30'000)
    forward.send(spdy::Writer::data(7, std::string_view(much).substr(at, 30'000)));
  forward.send(spdy::Writer::data(3, "hello"));
  forward.send(spdy::Writer::data(3, {}, true));
  forward.send(spdy::Writer::data(7, {}, true));
  EXPECT_EQ(forward.all_of(3), "hello");
  EXPECT_EQ(forward.all_of(1), "");
  EXPECT_EQ(forward.all_of(7), much);
  EXPECT_EQ(forward.all_of(5), "");
  forward.send(spdy::Writer::ping(9));
  EXPECT_EQ(forward.next().number, 9U);
}

TEST_F(PortForwarding, TellsWhyAConnectionCannotBeAndGoesOn) {
  const Echo echo;
  Forward forward(target());
  forward.open(1, "1");
  EXPECT_THAT(forward.all_of(1), AllOf(StartsWith("error forwarding port 1 to pod web"), HasSubstr("refused")));
  EXPECT_EQ(forward.all_of(3), "");
  forward.open(5, "http");
  for (int streams = 0; streams < 2;)
    if (forward.next().kind == spdy::Kind::reset) ++streams;
  forward.open(9, echo.port(), "1");  // over, and asked for anew
  forward.send(spdy::Writer::data(11, "on", true));
  EXPECT_EQ(forward.all_of(11), "on");

  Forward nobody(target("none"));
  nobody.open(1, echo.port());
  EXPECT_THAT(nobody.all_of(1), HasSubstr("there is web alone"));
}

TEST_F(PortForwarding, EndsConnectionsThatTheClientResetsOrLeaves) {
  asio::io_context context;
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const auto port = std::to_string(acceptor.local_endpoint().port());
  const auto is_over = [](tcp::socket socket) {
    char byte = 0;
    boost::system::error_code error;
    socket.read_some(asio::buffer(&byte, 1), error);
    return error == asio::error::eof || error == asio::error::connection_reset;
  };
  std::optional<Forward> forward(target());
  forward->open(1, port);
  auto reset = acceptor.accept();
  forward->open(5, port);
  auto left = acceptor.accept();
  forward->send(spdy::Writer::reset(3, 5));
  EXPECT_TRUE(is_over(std::move(reset)));
  forward.reset();
  EXPECT_TRUE(is_over(std::move(left)));
}

TEST_F(PortForwarding, RefusesStreamsThatAreTooManyOrOfNoConnection) {
  constexpr std::uint32_t kMost = 2'000;
  Forward forward(target());
  forward.ask(1, "");
  EXPECT_EQ(forward.next().kind, spdy::Kind::reset);
  for (std::uint32_t i = 1; i <= kMost; ++i) {
    forward.ask(2 * i + 1, std::to_string(i));
    ASSERT_EQ(forward.next().kind, spdy::Kind::syn_reply) << i;
  }
  forward.ask(2 * kMost + 3, "more");
  EXPECT_EQ(forward.next().kind, spdy::Kind::reset);
}

TEST_F(PortForwarding, EndsWhatIsNotSpdyAndLivesOn) {
  Forward wrong(target());
  wrong.send(std::string(100, 'x'));
  EXPECT_THROW(wrong.next(), boost::system::system_error);
  EXPECT_THAT(test::kubelet_answer("GET /portForward/shop/web HTTP/1.1\r\nHost: w1\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(test::kubelet_answer("GET /portForward/shop/web/web HTTP/1.1\r\nHost: w1\r\n\r\n"),
              StartsWith("HTTP/1.1 404"));
  const Echo echo;
  Forward right(target());
  right.open(1, echo.port());
  right.send(spdy::Writer::data(3, "on", true));
  EXPECT_EQ(right.all_of(3), "on");
}

}  // namespace
}  // namespace knetsim
