#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "answer.h"
#include "knetsim/etcd/client.h"
#include "transport.h"

namespace knetsim::etcd {

class Client::Impl : public Transport {
 public:
  using Transport::Transport;

  /// Posts `request` and lets `reader` make a value of the answer.
  template <typename Reader>
  awaitable<std::invoke_result_t<Reader, const nlohmann::json&>> call(std::string target, nlohmann::json request,
                                                                      Call::Retry retry, Reader reader) {
    Call post;
    post.target = target;
    post.body = request.dump();
    post.retry = retry;
    const Answer answer = co_await send(std::move(post));
    const nlohmann::json body = good_answer(answer, target);
    co_return read_answer(answer.endpoint, target, [&] { return reader(body); });
  }
};

}  // namespace knetsim::etcd
