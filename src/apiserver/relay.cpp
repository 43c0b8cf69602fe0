#include "relay.h"

#include <sys/epoll.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <vector>

#include "knetsim/sys/fd_events.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

asio::awaitable<void> copy(tcp::socket& from, tcp::socket& to) {
  constexpr std::size_t kRelayPiece = 32 << 10;
  std::vector<char> piece(kRelayPiece);
  for (;;) {
    error_code error;
    const auto count =
        co_await from.async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    co_await asio::async_write(to, asio::buffer(piece, count), asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
  }
}

}  // namespace

asio::awaitable<void> relay(tcp::socket& client, Relay& relay) {
  using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace)
  // The client may go while nothing is read of it, as the backend doesn't take what it has sent already.
  FdEvents end_of_client(client.get_executor());
  end_of_client.add(FdView(client.native_handle()), EPOLLRDHUP);
  error_code error;
  co_await asio::async_write(relay.backend, asio::buffer(relay.request),
                             asio::redirect_error(asio::use_awaitable, error));
  if (!error) co_await (copy(client, relay.backend) || copy(relay.backend, client) || end_of_client.wait());
  relay.backend.close(error);
}

}  // namespace knetsim::apiserver
