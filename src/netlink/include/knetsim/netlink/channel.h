#pragma once

#include <linux/netlink.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "knetsim/netlink/error.h"
#include "knetsim/sys/fd.h"

namespace knetsim::netlink {

/// Bytes of the kernel's longest datagram: a dump fills at most 32 KiB, a single link with many virtual functions less.
constexpr std::size_t kDatagram = 64 * 1024;

/// A socket of one of netlink's protocols (NETLINK_ROUTE, NETLINK_NETFILTER) in the calling thread's namespace,
/// extended acknowledgements switched on.
Fd open_netlink(int protocol, int extra_flags = 0);

/// What an NLMSG_ERROR or the end of a dump says.
struct Verdict {
  int error = 0;  ///< positive errno, 0: acknowledged
  std::string extack;
  std::uint32_t sequence = 0;                ///< of the message that it is about
  std::optional<std::uint32_t> offset = {};  ///< of the attribute at fault, in that message
};

/// Requests to the kernel, acknowledgements, dumps, transactions: all netlink goes through here, whichever library made
/// the messages. Every answer is awaited, so one request is under way at a time. `tried` is the text of a refusal
/// ("create bridge t0"), which is an Error. Move-only; not thread-safe.
class Channel {
 public:
  using Reader = std::function<void(const nlmsghdr*)>;

  Channel(Fd fd, std::string where) : fd_(std::move(fd)), where_(std::move(where)) {}

  /// Asks for a change and waits for the acknowledgement; in a Batch, puts it in the queue. Errnos in `tolerated`
  /// are as good as success ("absent is no error").
  void change(const nlmsghdr& request, std::string tried, std::initializer_list<int> tolerated = {});

  /// One object; nullopt if the kernel answers with an errno in `absent`. The bytes hold one whole message.
  std::optional<std::vector<char>> ask(const nlmsghdr& request, const std::string& tried,
                                       std::initializer_list<int> absent);

  /// Calls `read` for every message of a complete dump. If the kernel says that the table changed meanwhile
  /// (NLM_F_DUMP_INTR), calls `restart` and asks again.
  void dump(const nlmsghdr& request, const std::string& tried, const std::function<void()>& restart,
            const Reader& read);

  /// Sends messages that the kernel handles as one, numbered by the caller, of which the last asks for an
  /// acknowledgement. Returns what was refused, in the order sent. Throws SystemError if they can't be sent: EMSGSIZE
  /// if they are more than the socket may hold.
  std::vector<Verdict> transact(std::span<const std::uint8_t> messages, const std::string& tried);

  /// How many bytes transact() can send at once, of `size` that it shall: the kernel gives as much only to root.
  std::size_t room_for(std::size_t size);

  void begin_batch();
  void commit_batch();
  void forget_batch() noexcept;
  bool batching() const noexcept { return batching_; }

 private:
  using Request = std::vector<std::uint8_t>;  // one message, ending aligned
  struct Pending {
    Request request;
    std::string tried;
    std::vector<int> tolerated;
  };

  Request copy(const nlmsghdr& request, unsigned flags);
  void send(std::span<const iovec> pieces, const std::string& tried);
  void send(const Request& request, const std::string& tried);
  /// Sends them together, and reads the acknowledgements; the first refusal goes to `refusal`.
  void execute(std::span<Pending> requests, std::exception_ptr& refusal);
  void make_room(std::size_t size);
  /// Every message of the next datagram from the kernel. False if there is none and `flags` are MSG_DONTWAIT.
  bool receive(const std::string& tried, const Reader& read, int flags = 0);
  bool dump_once(const nlmsghdr& request, const std::string& tried, const Reader& read);
  void require_no_batch(const std::string& tried) const;

  Fd fd_;
  std::string where_;
  std::uint32_t sequence_ = 0;
  bool batching_ = false;
  std::vector<Pending> queue_;
};

/// Reads NLMSG_ERROR; throws Error (EBADMSG) if it is cut off.
Verdict read_verdict(const nlmsghdr* message);
/// Reads NLMSG_DONE, in which a dump that failed half-way leaves its errno.
Verdict read_end_of_dump(const nlmsghdr* message);

/// The Error of a refusal, with the remedy where there is one.
Error refusal(const std::string& where, const std::string& tried, const Verdict& verdict);

}  // namespace knetsim::netlink
