#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "knetsim/apiserver/client.h"

namespace knetsim::kubelet {

/// A question to the API server.
struct ApiCall {
  std::string method;
  std::string target;
  nlohmann::json body = {};  ///< null: none
  std::string type = "application/json";
  /// Asked again, every half second, until the server has an answer that isn't its own trouble (5xx).
  bool insist = false;
  /// Takes the place of one with the same key that waits for its turn; empty: of none.
  std::string key = {};
  /// Status 0: there was no answer.
  std::function<void(const apiserver::Answer&)> done = {};
};

/// Asks one question after the other, in the thread that runs the context; stopping that ends it at once.
class ApiCalls {
 public:
  ApiCalls(boost::asio::io_context& context, boost::asio::ip::tcp::endpoint server);
  ApiCalls(ApiCalls&&) = delete;
  ~ApiCalls();

  void ask(ApiCall call);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace knetsim::kubelet
