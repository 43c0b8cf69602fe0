// exec and port-forward at a kubelet's endpoint over bare SPDY, as a kube-apiserver speaks it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "../kubelet_server.h"
#include "../spdy.h"
#include "knetsim/sys/error.h"
#include "kubelet_client.h"

namespace knetsim {
namespace {

namespace asio = boost::asio;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

/// A pod that is the test's own process.
class OwnProcess : public PodRuntime {
 public:
  PodProgram start(const PodContainer& where, std::vector<std::string> argv, Streams wanted) override {
    if (where.pod != "web") throw InputError("there is web alone");
    return start_with_streams({.argv = std::move(argv)}, wanted);
  }
  PodAttachment attach(const PodContainer&) override { throw InputError("nothing runs"); }
  PodLog log(const PodContainer&, bool) override { throw InputError("nothing runs"); }
  Fd socket_in(const PodContainer&) override { return tcp_socket_in(NetNs::current()); }
};

class SpdyStreams : public testing::Test {
 protected:
  SpdyStreams() { server_.listen("w1", NetNs::current(), test::kubelet_w1); }

  static std::string exec(const std::string& script, const std::string& streams, const std::string& pod = "web") {
    std::string words;
    for (const char c : script) words += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    return "/exec/shop/" + pod + "/web?command=sh&command=-c&command=" + words + "&" + streams;
  }

 private:
  OwnProcess pods_;
  KubeletServer server_{pods_};
};

/// A client of it.
class SpdyClient {
 public:
  /// `protocols`: what it offers, each in a field of its own.
  SpdyClient(const std::string& target, const std::vector<std::string>& protocols) {
    std::string head =
        "POST " + target + " HTTP/1.1\r\nHost: w1\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n";
    for (const auto& each : protocols) head += "X-Stream-Protocol-Version: " + each + "\r\n";
    dial_.send(head + "\r\n");
    const auto size = asio::read_until(dial_.stream(), asio::dynamic_buffer(answer_), "\r\n\r\n");
    reader_.take(std::string_view(answer_).substr(size));
    answer_.resize(size);
  }
  explicit SpdyClient(const std::string& target)
      : SpdyClient(target, {"v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io"}) {}

  const std::string& answer() const { return answer_; }
  /// Opens one, and returns its number once it is there.
  std::uint32_t open(const std::string& type, spdy::Headers more = {}) {
    more["streamtype"] = type;
    const auto number = next_;
    next_ += 2;
    dial_.send(writer_.syn_stream(number, more));
    const auto reply = next();
    EXPECT_EQ(reply.kind, spdy::Kind::syn_reply) << type;
    EXPECT_EQ(reply.stream, number);
    return number;
  }
  void send(const std::string& bytes) { dial_.send(bytes); }
  void ask(const std::string& type) { send(writer_.syn_stream(next_, {{"streamtype", type}})); }
  spdy::Frame next() {
    std::array<char, 4'096> piece{};
    for (;;) {
      if (auto frame = reader_.next()) return *std::move(frame);
      boost::system::error_code error;
      const auto size = dial_.stream().read_some(asio::buffer(piece), error);
      // A socket with a time limit isn't waited for again by itself when a program of the pod's has ended (SIGCHLD).
      if (error && error != boost::system::errc::interrupted) throw boost::system::system_error(error, "read_some");
      reader_.take({piece.data(), size});
    }
  }
  /// Up to the end of a stream: what all of them say.
  std::string all_of(std::uint32_t stream) {
    while (!ended_[stream]) {
      const auto frame = next();
      if (frame.kind != spdy::Kind::data) continue;
      said_[frame.stream] += frame.data;
      ended_[frame.stream] = ended_[frame.stream] || frame.last;
    }
    return said_[stream];
  }
  /// Until a stream has said this.
  void expect(std::uint32_t stream, std::string_view text) {
    while (said_[stream].find(text) == std::string::npos) said_[stream] += next().data;
  }
  bool is_over() {
    try {
      for (;;) next();
    } catch (const boost::system::system_error& error) {
      return error.code() != asio::error::would_block;
    }
  }

 private:
  test::KubeletDial dial_;
  spdy::Writer writer_;
  spdy::Reader reader_;
  std::string answer_;
  std::uint32_t next_ = 1;
  std::map<std::uint32_t, std::string> said_;
  std::map<std::uint32_t, bool> ended_;
};

TEST_F(SpdyStreams, CarryAProgramsAndItsExitCode) {
  SpdyClient client(exec("cat; echo complaint >&2; exit 7", "input=1&output=1&error=1"));
  EXPECT_THAT(client.answer(), AllOf(StartsWith("HTTP/1.1 101"), HasSubstr("Upgrade: SPDY/3.1\r\n"),
                                     HasSubstr("X-Stream-Protocol-Version: v5.channel.k8s.io\r\n")));
  const auto status = client.open("error");
  const auto in = client.open("stdin");
  const auto out = client.open("stdout");
  const auto err = client.open("stderr");
  std::string much;
  for (int i = 0; much.size() < 300'000; ++i) much += std::to_string(i);
  std::thread writer([&] {
    for (std::size_t at = 0; at < much.size(); at += 30'000)
      client.send(spdy::Writer::data(in, std::string_view(much).substr(at, 30'000)));
    client.send(spdy::Writer::data(in, {}, true));
  });
  EXPECT_TRUE(client.all_of(out) == much);
  writer.join();
  EXPECT_EQ(client.all_of(err), "complaint\n");
  const auto told = json::parse(client.all_of(status));
  EXPECT_EQ(told.at("reason"), "NonZeroExitCode");
  EXPECT_EQ(told.at("/details/causes/0/message"_json_pointer), "7");
  EXPECT_TRUE(client.is_over());
}

TEST_F(SpdyStreams, HaveATerminalThatIsResized) {
  SpdyClient client(exec("echo ready; read line; stty size", "input=1&output=1&error=1&tty=1"));
  const auto status = client.open("error");
  const auto in = client.open("stdin");
  const auto out = client.open("stdout");
  const auto resize = client.open("resize");
  client.expect(out, "ready\r\n");
  client.send(spdy::Writer::ping(9));
  EXPECT_EQ(client.next().number, 9U);
  client.send(spdy::Writer::data(resize, "{\"Width\":80,\"Height\":24}\n{\"Width\":101,\"Height\":33}\n"));
  client.send(spdy::Writer::data(in, "\n"));
  EXPECT_THAT(client.all_of(out), HasSubstr("33 101\r\n"));
  EXPECT_THAT(client.all_of(status), HasSubstr("Success"));
}

TEST_F(SpdyStreams, TellWhatCannotBeRun) {
  SpdyClient client(exec("true", "output=1", "none"));
  const auto status = client.open("error");
  client.open("stdout");
  EXPECT_THAT(client.all_of(status), AllOf(HasSubstr("InternalError"), HasSubstr("there is web alone")));
  EXPECT_THAT(SpdyClient(exec("true", "output=1"), {"v1.channel.k8s.io"}).answer(), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(SpdyClient(exec("true", "output=1"), {}).answer(), StartsWith("HTTP/1.1 400"));
}

TEST_F(SpdyStreams, EndWithClientsThatBreakTheRules) {
  SpdyClient wrong(exec("true", "output=1"));
  wrong.send(std::string(100, 'x'));
  EXPECT_TRUE(wrong.is_over());
  SpdyClient early(exec("cat", "input=1&output=1"));
  const auto in = early.open("stdin");
  early.send(spdy::Writer::data(in, "before stdout is there"));
  const auto goes_on = [&] {
    early.ask("error");
    early.next();
  };
  EXPECT_THROW(goes_on(), boost::system::system_error);
  SpdyClient client(exec("echo well", "output=1"));
  for (const auto* const unwanted : {"stdin", "nonsense"}) {
    client.ask(unwanted);
    EXPECT_EQ(client.next().kind, spdy::Kind::reset) << unwanted;
  }
  client.open("error");
  const auto out = client.open("stdout");
  EXPECT_EQ(client.all_of(out), "well\n");
}

TEST_F(SpdyStreams, CarryWhatIsForwardedToAPort) {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  std::thread echo([&] {
    auto socket = acceptor.accept();
    std::string said;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(said), error);
    asio::write(socket, asio::buffer(said), error);
  });
  SpdyClient client("/portForward/shop/web", {"portforward.k8s.io"});
  EXPECT_THAT(client.answer(), HasSubstr("X-Stream-Protocol-Version: portforward.k8s.io\r\n"));
  const spdy::Headers one{{"port", std::to_string(acceptor.local_endpoint().port())}, {"requestid", "1"}};
  const auto error = client.open("error", one);
  const auto data = client.open("data", one);
  client.send(spdy::Writer::data(data, "hello", true));
  EXPECT_EQ(client.all_of(data), "hello");
  EXPECT_EQ(client.all_of(error), "");
  echo.join();
}

}  // namespace
}  // namespace knetsim
