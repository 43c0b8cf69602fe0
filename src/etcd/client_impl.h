#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "answer.h"
#include "auth.h"
#include "knetsim/etcd/client.h"
#include "transport.h"

namespace knetsim::etcd {

class Client::Impl : public Transport {
 public:
  using Transport::Transport;

  /// With the user's token, if there is a user; with another one if the server doesn't know the first any more.
  awaitable<Answer> send_as_user(Call call) {
    if (options().username.empty()) co_return co_await send(std::move(call));
    const bool had_one = !token_.empty();
    if (!had_one) token_ = co_await authenticate(*this);
    Call first = call;
    first.headers.emplace_back("Authorization", token_);
    Answer answer = co_await send(std::move(first));
    if (!had_one || !wants_another_token(answer)) co_return answer;
    token_ = co_await authenticate(*this);
    call.headers.emplace_back("Authorization", token_);
    co_return co_await send(std::move(call));
  }

  /// Posts `request` and lets `reader` make a value of the answer.
  template <typename Reader>
  awaitable<std::invoke_result_t<Reader, const JsonPlace&>> call(std::string target, nlohmann::json request,
                                                                 Call::Retry retry, Reader reader) {
    Call post;
    post.target = target;
    post.body = request.dump();
    post.retry = retry;
    const Answer answer = co_await send_as_user(std::move(post));
    const JsonDocument body = good_answer(answer, target);
    co_return read_answer(answer.endpoint, target, [&] { return reader(JsonPlace(body)); });
  }

 private:
  std::string token_;
};

}  // namespace knetsim::etcd
