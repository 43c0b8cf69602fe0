#include "channel.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>

#include "knetsim/netlink/error.h"

namespace knetsim::netlink {

namespace {

// Acknowledgements wait in the receive buffer (208 KiB by default, each counted as 768 bytes or more).
constexpr std::size_t kBatchPiece = 64;
constexpr int kDumpAttempts = 200;

template <typename Errnos>
bool among(int error, const Errnos& errnos) {
  return std::find(errnos.begin(), errnos.end(), error) != errnos.end();
}

}  // namespace

Fd open_netlink(int protocol, int extra_flags) {
  // Not nl_connect(): libnl hands out port ids of its own, 1,024 for all sockets of a process.
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | extra_flags, protocol));
  if (!fd) throw SystemError("open a netlink socket");
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK}) {
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_NETLINK, option, &on, sizeof on) != 0)
      throw SystemError("switch on extended acknowledgements");
  }
  return fd;
}

std::uint32_t Channel::stamp(const Message& message) { return message.raw()->nlmsg_seq = ++sequence_; }

void Channel::require_no_batch(const std::string& tried) const {
  if (batching_)
    throw Error(EBUSY,
                Diagnosis{.where = where_, .tried = tried, .answer = "a batch is open on this socket", .remedy = {}},
                {});
}

void Channel::send(std::span<Pending> requests) {
  std::array<iovec, kBatchPiece> pieces;
  std::size_t count = 0;
  for (const auto& request : requests) {
    request.message.raw()->nlmsg_flags |= NLM_F_ACK;
    stamp(request.message);
    // Every message but the last must end aligned; libnl keeps its buffers padded.
    pieces[count++] = {request.message.raw(), NLMSG_ALIGN(request.message.raw()->nlmsg_len)};
  }
  msghdr envelope{};
  envelope.msg_iov = pieces.data();
  envelope.msg_iovlen = count;
  while (::sendmsg(fd_.get(), &envelope, 0) < 0)
    if (errno != EINTR) throw SystemError(requests.front().tried, where_);
}

void Channel::send(const Message& message, const std::string& tried) {
  while (::send(fd_.get(), message.raw(), message.raw()->nlmsg_len, 0) < 0)
    if (errno != EINTR) throw SystemError(tried, where_);
}

void Channel::receive(const std::string& tried, const Reader& read) {
  // Untouched pages of it cost nothing, and a thread has no second answer to read at the same time.
  thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(kDatagram);
  sockaddr_nl sender{};
  iovec piece{buffer.get(), kDatagram};
  msghdr envelope{};
  envelope.msg_name = &sender;
  envelope.msg_namelen = sizeof sender;
  envelope.msg_iov = &piece;
  envelope.msg_iovlen = 1;
  ssize_t received;
  while ((received = ::recvmsg(fd_.get(), &envelope, 0)) < 0)
    if (errno != EINTR) throw SystemError("read the answer to: " + tried, where_);
  if (envelope.msg_flags & MSG_TRUNC)
    throw Error(EMSGSIZE, Diagnosis{.where = where_, .tried = tried, .answer = "the answer is too long", .remedy = {}},
                {});
  if (sender.nl_pid != 0) return;  // another process; only the kernel is believed
  int left = static_cast<int>(received);
  for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.get()); nlmsg_ok(message, left);
       message = nlmsg_next(message, &left))
    read(message);
}

void Channel::collect(std::span<Pending> requests, std::exception_ptr& first_refusal) {
  const std::uint32_t first = requests.front().message.raw()->nlmsg_seq;
  std::size_t answered = 0;
  while (answered < requests.size()) {
    receive(requests[answered].tried, [&](const nlmsghdr* message) {
      const std::uint32_t which = message->nlmsg_seq - first;
      if (message->nlmsg_type != NLMSG_ERROR || which >= requests.size()) return;
      ++answered;
      const auto verdict = read_verdict(message);
      const auto& request = requests[which];
      if (verdict.error != 0 && !among(verdict.error, request.tolerated) && !first_refusal)
        first_refusal = std::make_exception_ptr(refusal(where_, request.tried, verdict));
    });
  }
}

void Channel::change(Message message, std::string tried, std::initializer_list<int> tolerated) {
  Pending request{std::move(message), std::move(tried), tolerated};
  if (batching_) {
    queue_.push_back(std::move(request));
    return;
  }
  std::exception_ptr first_refusal;
  send({&request, 1});
  collect({&request, 1}, first_refusal);
  if (first_refusal) std::rethrow_exception(first_refusal);
}

std::optional<std::vector<char>> Channel::ask(const Message& message, const std::string& tried,
                                              std::initializer_list<int> absent) {
  require_no_batch(tried);
  const auto sequence = stamp(message);
  send(message, tried);
  std::optional<Verdict> verdict;
  std::optional<std::vector<char>> answer;
  while (!verdict && !answer) {
    receive(tried, [&](const nlmsghdr* reply) {
      if (reply->nlmsg_seq != sequence) return;
      if (reply->nlmsg_type == NLMSG_ERROR) {
        verdict = read_verdict(reply);
      } else {
        const auto* bytes = reinterpret_cast<const char*>(reply);
        answer.emplace(bytes, bytes + reply->nlmsg_len);
      }
    });
  }
  if (!answer && !among(verdict->error, absent)) throw refusal(where_, tried, *verdict);
  return answer;
}

bool Channel::dump_once(const Message& message, const std::string& tried, const Reader& read) {
  message.raw()->nlmsg_flags |= NLM_F_DUMP;
  const auto sequence = stamp(message);
  send(message, tried);
  bool whole = true;
  std::optional<Verdict> end;
  while (!end) {
    receive(tried, [&](const nlmsghdr* reply) {
      if (reply->nlmsg_seq != sequence || end) return;
      if (reply->nlmsg_flags & NLM_F_DUMP_INTR) whole = false;
      if (reply->nlmsg_type == NLMSG_ERROR) {
        end = read_verdict(reply);
      } else if (reply->nlmsg_type == NLMSG_DONE) {
        end = read_end_of_dump(reply);
      } else if (whole) {
        read(reply);
      }
    });
  }
  if (end->error != 0) throw refusal(where_, tried, *end);
  return whole;
}

void Channel::dump(const Message& message, const std::string& tried, const std::function<void()>& restart,
                   const Reader& read) {
  require_no_batch(tried);
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    if (dump_once(message, tried, read)) return;
  }
  throw Error(EAGAIN,
              Diagnosis{.where = where_,
                        .tried = tried,
                        .answer = fmt::format("the table changed during each of {} readings", kDumpAttempts),
                        .remedy = {}},
              {});
}

void Channel::begin_batch() {
  require_no_batch("open a batch");
  batching_ = true;
}

void Channel::forget_batch() noexcept {
  batching_ = false;
  queue_.clear();
}

void Channel::commit_batch() {
  std::exception_ptr first_refusal;
  auto requests = std::move(queue_);
  queue_.clear();
  for (std::span<Pending> left(requests); !left.empty();) {
    const auto piece = left.first(std::min(left.size(), kBatchPiece));
    send(piece);
    collect(piece, first_refusal);
    left = left.subspan(piece.size());
  }
  if (first_refusal) std::rethrow_exception(first_refusal);
}

}  // namespace knetsim::netlink
