#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/verb.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connection.h"
#include "knetsim/etcd/client.h"

namespace knetsim::etcd {

/// A request as the transport sees it.
struct Call {
  /// What may be done when an endpoint took the request and then failed.
  enum class Retry {
    never,        ///< a change: it may have happened
    lost_answer,  ///< repeat at the next endpoint, but any answer is one
    unavailable,  ///< repeat also if the endpoint answers that it is unavailable
  };
  boost::beast::http::verb verb = boost::beast::http::verb::post;
  std::string target;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< more of them
  Retry retry = Retry::never;
};

struct Answer {
  unsigned status = 0;
  std::string body;
  std::string endpoint;  ///< url
  boost::beast::http::fields headers;
};

/// HTTP/1.1 with keep-alive to the first of several endpoints that works.
class Transport {
 public:
  Transport(boost::asio::any_io_executor executor, ClientOptions options);

  /// The answer, whatever its status. Throws Unavailable.
  boost::asio::awaitable<Answer> send(Call call);

  const ClientOptions& options() const noexcept { return options_; }
  const boost::asio::any_io_executor& executor() const noexcept { return executor_; }

 private:
  struct Idle {
    std::size_t endpoint;
    std::unique_ptr<Connection> connection;
  };
  /// What became of a request at one endpoint.
  struct Attempt {
    boost::system::error_code error;
    bool sent = false;  ///< at least in part
    Answer answer;
  };

  boost::asio::awaitable<Attempt> attempt(std::size_t endpoint, const Call& call);
  boost::asio::awaitable<Attempt> exchange(Connection& connection, std::size_t endpoint, const Call& call, bool& keep);
  std::unique_ptr<Connection> take_idle(std::size_t endpoint);
  void keep_idle(std::size_t endpoint, std::unique_ptr<Connection> connection);

  boost::asio::any_io_executor executor_;
  ClientOptions options_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
  std::vector<Endpoint> endpoints_;
  std::size_t current_ = 0;
  std::vector<Idle> idle_;
};

}  // namespace knetsim::etcd
