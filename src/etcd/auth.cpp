#include "auth.h"

#include <nlohmann/json.hpp>

#include "answer.h"

namespace knetsim::etcd {

namespace {

constexpr unsigned kUnauthorized = 401;

}  // namespace

boost::asio::awaitable<std::string> authenticate(Transport& transport) {
  const auto& options = transport.options();
  Call login;
  login.target = "/v3/auth/authenticate";
  login.body = nlohmann::json{{"name", options.username}, {"password", options.password}}.dump();
  login.retry = Call::Retry::unavailable;
  const Answer answer = co_await transport.send(login);
  const JsonDocument body = good_answer(answer, login.target);
  co_return read_answer(answer.endpoint, login.target, [&] {
    auto token = JsonPlace(body)["token"].string();
    if (token.empty() || token.find_first_of("\r\n") != std::string::npos) throw InputError("there is no token");
    return token;
  });
}

// google.rpc.Code UNAUTHENTICATED, as the gateway translates it.
bool wants_another_token(const Answer& answer) { return answer.status == kUnauthorized; }

}  // namespace knetsim::etcd
