#include "handler_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <limits>
#include <utility>

#include "knetsim/kube/access.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/text.h"
#include "lifecycle.h"
#include "process_end.h"

namespace knetsim::kubelet {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using nlohmann::json;

namespace {

constexpr std::size_t kLongestProbeOutput = 1'000;

/// The beginning of what a program has printed.
std::string beginning_of(const std::filesystem::path& file) {
  const Fd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::string text(kLongestProbeOutput, '\0');
  const auto count = opened ? ::read(opened.get(), text.data(), text.size()) : 0;
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  // It becomes the message of an Event, which is text.
  for (auto& c : text)
    if (c != '\n' && c != '\t' && (c < ' ' || c > '~')) c = '?';
  return text;
}

}  // namespace

std::optional<std::uint16_t> port_of(const json& port, const json& container) {
  auto number = kube::number_in(port);
  if (port.is_string())
    for (const auto& one : kube::list_at(container, "ports"))
      if (kube::text_at(one, "name") == kube::text_in(port)) number = kube::number_at(one, "containerPort");
  if (number < 1 || number > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

struct HandlerRun::State : std::enable_shared_from_this<State> {
  State(asio::io_context& in, Done when_done) : context(in), done(std::move(when_done)), clock(in) {}

  asio::io_context& context;
  Done done;  // empty once it was called, or nobody wants to know
  asio::steady_timer clock;
  std::string late = "timed out";  // what it is when the clock rings; empty: a success
  // httpGet, tcpSocket
  std::optional<beast::tcp_stream> stream;
  http::request<http::empty_body> request;
  http::response_parser<http::string_body> parser;
  beast::flat_buffer buffer;
  // exec
  std::filesystem::path output;
  std::optional<Child> child;
  std::optional<ProcessEnd> ended;

  void finish(const std::optional<std::string>& failure) {
    const auto call = std::exchange(done, nullptr);
    cancel();
    if (call) call(failure);
  }

  void cancel() {
    done = nullptr;
    clock.cancel();
    if (stream) stream->close();  // its operations refer to it until they have been told
    ended.reset();
    child.reset();
  }

  void begin(const json& handler, const HandlerPlace& place, std::chrono::milliseconds timeout) {
    clock.expires_after(timeout);
    clock.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->finish(self->late.empty() ? std::nullopt : std::optional(self->late));
    });
    if (const auto& exec = kube::member(handler, "exec"); !exec.is_null()) return run(exec, place);
    if (const auto& get = kube::member(handler, "httpGet"); !get.is_null()) return connect(get, place, true);
    if (const auto& socket = kube::member(handler, "tcpSocket"); !socket.is_null())
      return connect(socket, place, false);
    if (const auto& sleep = kube::member(handler, "sleep"); !sleep.is_null()) {
      late.clear();
      clock.expires_after(std::min<std::chrono::milliseconds>(timeout, seconds_in(kube::member(sleep, "seconds"))));
      clock.async_wait([self = shared_from_this()](error_code error) {
        if (!error) self->finish(std::nullopt);
      });
      return;
    }
    throw InputError("this kind of handler isn't offered: exec, httpGet and tcpSocket are");
  }

  void run(const json& exec, const HandlerPlace& place) {
    std::vector<std::string> argv;
    for (const auto& word : kube::list_at(exec, "command")) argv.push_back(kube::text_in(word));
    output = place.output;
    const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const Fd file(::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!null || !file) throw SystemError("write what a probe prints", output.string());
    late = fmt::format("command timed out: {}", excerpt(argv.empty() ? "" : argv.front()));
    child.emplace(Child::launch(place.command(std::move(argv)), null, file, file, {.shown = place.shown}));
    ended.emplace(context, child->pidfd(), [self = weak_from_this()] {
      if (const auto state = self.lock()) state->has_ended();
    });
  }

  void has_ended() {
    if (!child) return;
    const auto status = child->status();
    if (status && status->success()) return finish(std::nullopt);
    const auto said = beginning_of(output);
    finish(!said.empty() ? said : status ? status->describe() : "its end isn't known");
  }

  void connect(const json& target, const HandlerPlace& place, bool get) {
    const auto port = port_of(kube::member(target, "port"), place.container);
    if (!port)
      throw InputError(fmt::format("the container has no port {}", json_excerpt(kube::member(target, "port"))));
    if (get && kube::text_at(target, "scheme") == "HTTPS") throw InputError("scheme HTTPS isn't offered: HTTP is");
    const auto& named = kube::text_at(target, "host");
    error_code unfit;
    const auto address = asio::ip::make_address(named.empty() ? place.host : named, unfit);
    if (unfit) throw InputError(fmt::format("host {} isn't offered: an IP address is", excerpt(named)));
    const tcp::endpoint endpoint(address, *port);
    late = get ? "Get \"http://" + fmt::format("{}:{}", address.to_string(), *port) + "\": context deadline exceeded"
               : fmt::format("dial tcp {}:{}: i/o timeout", address.to_string(), *port);
    tcp::socket socket(context);
    place.from->run([&] { socket.open(endpoint.protocol()); });
    stream.emplace(std::move(socket));
    if (get) {
      const auto& path = kube::text_at(target, "path");
      request.method(http::verb::get);
      request.target(path.empty() ? "/" : path.front() == '/' ? path : "/" + path);
      request.version(11);
      request.set(http::field::host, fmt::format("{}:{}", address.to_string(), *port));
      request.set(http::field::user_agent, "kube-probe/1.32");
      request.set(http::field::connection, "close");
      for (const auto& header : kube::list_at(target, "httpHeaders"))
        request.set(kube::text_at(header, "name"), kube::text_at(header, "value"));
    }
    stream->async_connect(endpoint, [self = shared_from_this(), endpoint, get](error_code error) {
      if (!self->done) return;
      if (error)
        return self->finish(fmt::format("dial tcp {}:{}: connect: {}", endpoint.address().to_string(), endpoint.port(),
                                        error.message()));
      if (get)
        self->ask();
      else
        self->finish(std::nullopt);
    });
  }

  void ask() {
    http::async_write(*stream, request, [self = shared_from_this()](error_code unwritten, std::size_t) {
      if (!self->done) return;
      if (unwritten) return self->finish(unwritten.message());
      http::async_read_header(*self->stream, self->buffer, self->parser, [self](error_code error, std::size_t) {
        if (!self->done) return;
        if (error) return self->finish(error.message());
        const auto status = self->parser.get().result_int();
        if (status >= 200 && status < 400) return self->finish(std::nullopt);
        self->finish(fmt::format("HTTP probe failed with statuscode: {}", status));
      });
    });
  }
};

HandlerRun::HandlerRun(asio::io_context& context, const json& handler, const HandlerPlace& place,
                       std::chrono::milliseconds timeout, Done done)
    : state_(std::make_shared<State>(context, std::move(done))) {
  try {
    state_->begin(handler, place, timeout);
  } catch (const std::exception& error) {
    // Told as any other outcome is: after this has been made.
    asio::post(context, [state = state_, what = std::string(error.what())] { state->finish(what); });
  }
}

HandlerRun::~HandlerRun() { state_->cancel(); }

}  // namespace knetsim::kubelet
