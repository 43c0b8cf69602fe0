// knetsim-agnhost: what the image agnhost is asked for in labs of the network. Names, ports, paths and answers are
// those of k8s.io/kubernetes/test/images/agnhost.

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "knetsim/sys/standard_output.h"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr std::chrono::seconds kPatience{30};
constexpr std::uint64_t kLongestBody = 1ULL << 20;
constexpr std::size_t kMostConnections = 4'096;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

/// "10.0.0.1:4711", "[fd00::1]:4711"
std::string text_of(asio::ip::address address, unsigned port) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return fmt::format(fmt::runtime(address.is_v6() ? "[{}]:{}" : "{}:{}"), address.to_string(), port);
}

std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '+') {
      result += ' ';
    } else if (text[i] == '%' && i + 2 < text.size() &&
               std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
      result += static_cast<char>(byte);
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

/// A value of a target's query; empty if it isn't there.
std::string query_word(std::string_view target, std::string_view name) {
  const auto mark = target.find('?');
  for (auto rest = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1); !rest.empty();) {
    const auto word = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    const auto equals = word.find('=');
    if (word.substr(0, equals) == name && equals != std::string_view::npos) return decoded(word.substr(equals + 1));
  }
  return {};
}

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;
using Answer = std::function<void(const Request&, const std::string& client, Response&)>;

/// One HTTP connection, as long as its client wants it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, const Answer& answer, std::shared_ptr<void> place)
      : stream_(std::move(socket)), answer_(answer), place_(std::move(place)) {}

  void read() {
    parser_.emplace();
    parser_->body_limit(kLongestBody);
    stream_.expires_after(kPatience);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
      if (!error) self->write();
    });
  }

 private:
  void write() {
    error_code gone;
    const auto client = stream_.socket().remote_endpoint(gone);
    if (gone) return;
    const auto& request = parser_->get();
    response_ = {};
    response_.version(request.version());
    response_.keep_alive(request.keep_alive());
    response_.set(http::field::content_type, "text/plain; charset=utf-8");
    answer_(request, text_of(client.address(), client.port()), response_);
    response_.prepare_payload();
    if (request.method() == http::verb::head) response_.body().clear();
    http::async_write(stream_, response_, [self = shared_from_this()](error_code error, std::size_t) {
      if (!error && self->response_.keep_alive()) self->read();
    });
  }

  beast::tcp_stream stream_;
  const Answer& answer_;
  std::shared_ptr<void> place_;  // counts the connections
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  Response response_;
};

/// Of both families where there is IPv6.
template <typename Protocol, typename Socket>
void open_on(Socket& socket, std::uint16_t port) {
  error_code no_v6;
  socket.open(Protocol::v6(), no_v6);
  if (no_v6) {
    socket.open(Protocol::v4());
    if constexpr (std::is_same_v<Protocol, tcp>) socket.set_option(tcp::acceptor::reuse_address(true));
    socket.bind({Protocol::v4(), port});
    return;
  }
  socket.set_option(asio::ip::v6_only(false));
  if constexpr (std::is_same_v<Protocol, tcp>) socket.set_option(tcp::acceptor::reuse_address(true));
  socket.bind({Protocol::v6(), port});
}

class Listener {
 public:
  using Take = std::function<void(tcp::socket)>;
  Listener(asio::io_context& context, std::uint16_t port, Take take)
      : acceptor_(context), pause_(context), take_(std::move(take)) {
    open_on<tcp>(acceptor_, port);
    acceptor_.listen();
    accept();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error) {
        take_(std::move(socket));
        return accept();
      }
      // No descriptor left for it: when others have gone.
      pause_.expires_after(std::chrono::milliseconds(100));
      pause_.async_wait([this](error_code) { accept(); });
    });
  }

  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  Take take_;
};

/// Takes those that are over the limit, and closes them.
Listener::Take served_by(const Answer& answer) {
  const auto count = std::make_shared<std::size_t>(0);
  return [&answer, count](tcp::socket socket) {
    if (*count >= kMostConnections) return;
    ++*count;
    const std::shared_ptr<void> place(nullptr, [count](void*) { --*count; });
    std::make_shared<Connection>(std::move(socket), answer, place)->read();
  };
}

class UdpServer {
 public:
  using Reply = std::function<std::string(std::string_view, const std::string& client)>;
  UdpServer(asio::io_context& context, std::uint16_t port, Reply reply) : socket_(context), reply_(std::move(reply)) {
    open_on<udp>(socket_, port);
    receive();
  }

 private:
  void receive() {
    socket_.async_receive_from(asio::buffer(buffer_), from_, [this](error_code error, std::size_t count) {
      if (error == asio::error::operation_aborted) return;
      if (!error) {
        const auto reply = reply_({buffer_.data(), count}, text_of(from_.address(), from_.port()));
        error_code ignored;
        if (!reply.empty()) socket_.send_to(asio::buffer(reply), from_, 0, ignored);
      }
      receive();
    });
  }

  udp::socket socket_;
  udp::endpoint from_;
  std::array<char, 65'536> buffer_{};
  Reply reply_;
};

std::optional<int> number_in(const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(number)
                                                                                   : std::nullopt;
}

void answer_netexec(const Request& request, const std::string& client, Response& response) {
  const std::string_view target(request.target().data(), request.target().size());
  const auto path = target.substr(0, target.find('?'));
  if (path == "/") {
    response.body() = fmt::format("NOW: {:%Y-%m-%d %H:%M:%S} +0000 UTC", fmt::gmtime(std::chrono::system_clock::now()));
  } else if (path == "/hostname" || path == "/hostName") {
    response.body() = host_name();
  } else if (path == "/clientip") {
    response.body() = client;
  } else if (path == "/echo") {
    response.body() = query_word(target, "msg");
    if (const auto code = number_in(query_word(target, "code")); code && *code >= 200 && *code < 600)
      response.result(static_cast<unsigned>(*code));
  } else if (path == "/header") {
    response.body() = request[query_word(target, "key")];
  } else if (path == "/redirect") {
    const auto code = number_in(query_word(target, "code")).value_or(302);
    response.result(code >= 300 && code < 400 ? static_cast<unsigned>(code) : 400);
    response.set(http::field::location, query_word(target, "location"));
  } else if (path == "/exit") {
    std::_Exit(number_in(query_word(target, "code")).value_or(0));
  } else if (path == "/shutdown") {
    std::_Exit(0);
  } else if (path != "/healthz") {
    response.result(http::status::not_found);
    response.body() = "404 page not found\n";
  }
}

std::string reply_netexec(std::string_view message, const std::string& client) {
  while (!message.empty() && (message.back() == '\n' || message.back() == '\r')) message.remove_suffix(1);
  if (message == "hostname" || message == "hostName") return host_name();
  if (message == "clientip") return client;
  if (message.starts_with("echo ")) return std::string(message.substr(5));
  return {};
}

int run_until_told(asio::io_context& context) {
  asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&](error_code, int) { context.stop(); });
  context.run();
  return EXIT_SUCCESS;
}

struct Ports {
  int http = 8080;
  int udp = 8081;
};

int netexec(const Ports& ports) {
  asio::io_context context{1};
  const Answer answer = answer_netexec;
  const Listener listener(context, static_cast<std::uint16_t>(ports.http), served_by(answer));
  std::optional<UdpServer> datagrams;
  if (ports.udp >= 0) datagrams.emplace(context, static_cast<std::uint16_t>(ports.udp), reply_netexec);
  fmt::print("Started HTTP server on port {}\n", ports.http);
  if (ports.udp >= 0) fmt::print("Started UDP server on port  {}\n", ports.udp);
  std::fflush(stdout);
  return run_until_told(context);
}

struct HostnameOptions {
  int port = 9376;
  bool http = true;
  bool tcp = false;
  bool udp = false;
};

int serve_hostname(const HostnameOptions& options) {
  asio::io_context context{1};
  const auto port = static_cast<std::uint16_t>(options.port);
  const Answer answer = [](const Request&, const std::string&, Response& response) { response.body() = host_name(); };
  std::optional<Listener> listener;
  std::optional<UdpServer> datagrams;
  if (options.udp)
    datagrams.emplace(context, port, [](std::string_view, const std::string&) { return host_name() + "\n"; });
  if (options.tcp)
    listener.emplace(context, port, [](tcp::socket socket) {
      error_code ignored;
      asio::write(socket, asio::buffer(host_name() + "\n"), ignored);
    });
  else if (options.http)
    listener.emplace(context, port, served_by(answer));
  return run_until_told(context);
}

int wait_for_end() {
  asio::io_context context{1};
  return run_until_told(context);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What labs of the network ask the image agnhost for", "knetsim-agnhost");
  app.require_subcommand(1);
  Ports ports;
  HostnameOptions hostname;
  auto* const net = app.add_subcommand("netexec",
                                       "HTTP: /hostname /clientip /echo?msg= /header?key= /redirect /healthz "
                                       "/exit?code=; UDP: hostname, echo TEXT, clientip");
  net->add_option("--http-port", ports.http, "Where it serves HTTP")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  net->add_option("--udp-port", ports.udp, "Where it answers datagrams; -1: nowhere")
      ->check(CLI::Range(-1, 65535))
      ->capture_default_str();
  auto* const serve = app.add_subcommand("serve-hostname", "The hostname to whoever connects");
  serve->add_option("--port", hostname.port, "Where")->check(CLI::Range(1, 65535))->capture_default_str();
  serve->add_flag("--http,!--no-http", hostname.http, "By HTTP")->capture_default_str();
  serve->add_flag("--tcp", hostname.tcp, "By TCP alone");
  serve->add_flag("--udp", hostname.udp, "By UDP");
  app.add_subcommand("pause", "Waits for SIGTERM");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& asked) {
    return knetsim::exit_code_after_output("knetsim-agnhost", app.exit(asked));
  }
  try {
    std::signal(SIGPIPE, SIG_IGN);
    if (net->parsed()) return netexec(ports);
    return serve->parsed() ? serve_hostname(hostname) : wait_for_end();
  } catch (const std::exception& error) {
    fmt::print(stderr, "knetsim-agnhost: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
