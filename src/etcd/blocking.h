#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "knetsim/sys/netns.h"

namespace knetsim::etcd {

/// Calls `f` where the sockets shall live; null: where the caller is.
template <typename F>
decltype(auto) inside(const NetNs* netns, F&& f) {
  if (netns != nullptr) return netns->run(std::forward<F>(f));
  return std::forward<F>(f)();
}

/// Runs `call` to its end on `context`, which nothing else uses meanwhile.
template <typename T>
T block_on(boost::asio::io_context& context, const NetNs* netns, boost::asio::awaitable<T> call) {
  std::exception_ptr error;
  const auto run = [&] {
    inside(netns, [&] {
      context.restart();
      context.run();
    });
    if (error) std::rethrow_exception(error);
  };
  if constexpr (std::is_void_v<T>) {
    boost::asio::co_spawn(context, std::move(call), [&](std::exception_ptr thrown) { error = std::move(thrown); });
    run();
  } else {
    std::optional<T> result;
    boost::asio::co_spawn(context, std::move(call), [&](std::exception_ptr thrown, T value) {
      error = std::move(thrown);
      if (!error) result.emplace(std::move(value));
    });
    run();
    return std::move(*result);
  }
}

}  // namespace knetsim::etcd
