#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"

namespace knetsim::etcd::test {

/// What a FakeServer does with one connection, after it has read one request.
struct Reply {
  std::vector<std::string> pieces = {};  ///< written one by one, as far as the kernel keeps them apart
  enum class Then { close, hold, reset } then = Then::close;
};

/// A raw socket on 127.0.0.1 of a namespace that answers its n-th connection with the n-th reply, and those after the
/// last with the last.
class FakeServer {
 public:
  FakeServer(const NetNs& netns, std::vector<Reply> replies);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// The requests so far, one for each connection.
  std::vector<std::string> requests() const;
  /// How many connections it is done with: closed, unless their reply says hold.
  std::size_t answered() const noexcept { return answered_; }

 private:
  void serve();
  void answer(Fd connection, const Reply& reply);

  std::vector<Reply> replies_;
  Fd listener_;
  Pipe stop_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<Fd> held_;
  std::atomic<std::size_t> answered_ = 0;
  std::thread thread_;
};

/// A whole answer with a Content-Length.
std::string http_answer(int status, const std::string& body);
/// The head of an answer in chunks, and one chunk.
std::string chunked_head();
std::string chunk(const std::string& data);

}  // namespace knetsim::etcd::test
