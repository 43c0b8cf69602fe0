#include "relay.h"

#include <sys/epoll.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <functional>
#include <utility>
#include <vector>

#include "knetsim/sys/fd_events.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

namespace {

template <typename From, typename To>
asio::awaitable<void> copy(From& from, To& to) {
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

/// What the first one that ends does, so that the others end, too.
using End = std::function<void()>;

asio::awaitable<void> until_it_ends(asio::awaitable<void> deed, const End& end) {
  co_await std::move(deed);
  end();
}

template <typename Stream>
asio::awaitable<void> relay_both_ways(Stream& client, Relay& relay) {
  using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace)
  auto& socket = beast::get_lowest_layer(client).socket();
  beast::get_lowest_layer(client).expires_never();
  // The client may go while nothing is read of it, as the backend doesn't take what it has sent already.
  FdEvents end_of_client(socket.get_executor());
  end_of_client.add(FdView(socket.native_handle()), EPOLLRDHUP);
  error_code error;
  co_await asio::async_write(relay.backend, asio::buffer(relay.request),
                             asio::redirect_error(asio::use_awaitable, error));
  const End end = [&] {
    error_code ignored;
    beast::get_lowest_layer(relay.backend).close();
    socket.cancel(ignored);
    end_of_client.cancel();
  };
  if (!error)
    co_await (until_it_ends(copy(client, relay.backend), end) && until_it_ends(copy(relay.backend, client), end) &&
              until_it_ends(end_of_client.wait(), end));
  beast::get_lowest_layer(relay.backend).close();
}

}  // namespace

asio::awaitable<void> relay(PlainStream& client, Relay& relay) { return relay_both_ways(client, relay); }
asio::awaitable<void> relay(TlsStream& client, Relay& relay) { return relay_both_ways(client, relay); }

}  // namespace knetsim::apiserver
