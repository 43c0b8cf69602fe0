#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "knetsim/netlink/error.h"
#include "knetsim/netlink/socket.h"
#include "message.h"

namespace knetsim::netlink {

/// Bytes of the kernel's longest datagram: a dump fills at most 32 KiB, a single link with many virtual functions less.
constexpr std::size_t kDatagram = 64 * 1024;

/// A socket of one of netlink's protocols (NETLINK_ROUTE, NETLINK_NETFILTER) in the calling thread's namespace,
/// extended acknowledgements switched on.
Fd open_netlink(int protocol, int extra_flags = 0);

/// What a Socket is made of: requests, acknowledgements, dumps. Every answer is awaited, so one request is under way
/// at a time. `tried` is the text of a refusal ("create bridge t0").
class Channel {
 public:
  using Reader = std::function<void(const nlmsghdr*)>;

  Channel(Fd fd, std::string where) : fd_(std::move(fd)), where_(std::move(where)) {}

  /// Asks for a change and waits for the acknowledgement; in a Batch, puts it in the queue. Errnos in `tolerated`
  /// are as good as success ("absent is no error").
  void change(Message message, std::string tried, std::initializer_list<int> tolerated = {});

  /// One object; nullopt if the kernel answers with an errno in `absent`. The bytes hold one whole message.
  std::optional<std::vector<char>> ask(const Message& message, const std::string& tried,
                                       std::initializer_list<int> absent);

  /// Calls `read` for every message of a complete dump. If the kernel says that the table changed meanwhile
  /// (NLM_F_DUMP_INTR), calls `restart` and asks again.
  void dump(const Message& message, const std::string& tried, const std::function<void()>& restart, const Reader& read);

  void begin_batch();
  void commit_batch();
  void forget_batch() noexcept;
  bool batching() const noexcept { return batching_; }

 private:
  struct Pending {
    Message message;
    std::string tried;
    std::vector<int> tolerated;
  };

  std::uint32_t stamp(const Message& message);
  void send(std::span<Pending> requests);
  void send(const Message& message, const std::string& tried);
  /// Acknowledgements of `requests`, in their order; the first refusal goes to `refusal`.
  void collect(std::span<Pending> requests, std::exception_ptr& refusal);
  /// Every message of the next datagram from the kernel; `read` says whether to go on.
  void receive(const std::string& tried, const Reader& read);
  bool dump_once(const Message& message, const std::string& tried, const Reader& read);
  void require_no_batch(const std::string& tried) const;

  Fd fd_;
  std::string where_;
  std::uint32_t sequence_ = 0;
  bool batching_ = false;
  std::vector<Pending> queue_;
};

/// What an NLMSG_ERROR or the end of a dump says.
struct Verdict {
  int error = 0;  ///< positive errno, 0: acknowledged
  std::string extack;
};
/// Reads NLMSG_ERROR; throws Error (EBADMSG) if it is cut off.
Verdict read_verdict(const nlmsghdr* message);
/// Reads NLMSG_DONE, in which a dump that failed half-way leaves its errno.
Verdict read_end_of_dump(const nlmsghdr* message);

/// The Error of a refusal, with the remedy where there is one.
Error refusal(const std::string& where, const std::string& tried, const Verdict& verdict);

}  // namespace knetsim::netlink
