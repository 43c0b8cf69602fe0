#include "knetsim/sys/http_pages.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <utility>

namespace knetsim {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr std::chrono::seconds kRequestWithin{10};
constexpr std::size_t kLongestRequest = 8192;

http::response<http::string_body> answer_to(const http::request<http::empty_body>& request, const HttpPages& pages,
                                            const std::string& content_type) {
  const auto target = request.target().substr(0, request.target().find('?'));
  const auto page = pages.find(std::string_view(target.data(), target.size()));
  auto status = http::status::ok;
  if (page == pages.end()) {
    status = http::status::not_found;
  } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
    status = http::status::method_not_allowed;
  }
  http::response<http::string_body> response(status, request.version());
  response.set(http::field::content_type, content_type);
  response.body() = status == http::status::ok ? page->second() : std::string(http::obsolete_reason(status)) + "\n";
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  response.keep_alive(false);
  return response;
}

std::string name_of_peer(const tcp::socket& socket) {
  boost::system::error_code error;
  const auto peer = socket.remote_endpoint(error);
  return error ? "a peer that has gone" : fmt::format("{}:{}", peer.address().to_string(), peer.port());
}

asio::awaitable<void> converse(tcp::socket socket, const HttpPages& pages, std::string content_type,
                               std::function<void(const std::string&)> complain) {
  const auto peer = name_of_peer(socket);
  beast::tcp_stream stream(std::move(socket));
  try {
    stream.expires_after(kRequestWithin);
    beast::flat_buffer buffer(kLongestRequest);
    http::request<http::empty_body> request;
    co_await http::async_read(stream, buffer, request, asio::use_awaitable);
    auto response = answer_to(request, pages, content_type);
    co_await http::async_write(stream, response, asio::use_awaitable);
    boost::system::error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  } catch (const boost::system::system_error& error) {  // not HTTP, too slow, or gone
    if (error.code() != http::error::end_of_stream) complain(fmt::format("{}: {}", peer, error.code().message()));
  }
}

}  // namespace

void serve_http(tcp::socket socket, const HttpPages& pages, std::string content_type,
                std::function<void(const std::string&)> complain) {
  const auto executor = socket.get_executor();
  asio::co_spawn(executor, converse(std::move(socket), pages, std::move(content_type), std::move(complain)),
                 asio::detached);
}

}  // namespace knetsim
