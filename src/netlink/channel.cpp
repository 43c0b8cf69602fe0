#include "knetsim/netlink/channel.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "attributes.h"
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

nlmsghdr& header_in(std::vector<std::uint8_t>& message) { return *reinterpret_cast<nlmsghdr*>(message.data()); }
const nlmsghdr& header_in(const std::vector<std::uint8_t>& message) {
  return *reinterpret_cast<const nlmsghdr*>(message.data());
}

void read_extack(std::span<const char> bytes, Verdict& verdict) {
  const Attributes attributes(bytes, NLMSGERR_ATTR_MAX);
  verdict.extack = attributes.string(NLMSGERR_ATTR_MSG).value_or("");
  verdict.offset = attributes.u32(NLMSGERR_ATTR_OFFS);
}

std::span<const char> payload(const nlmsghdr* message) {
  return {static_cast<const char*>(nlmsg_data(message)), static_cast<std::size_t>(nlmsg_datalen(message))};
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

void Channel::require_no_batch(const std::string& tried) const {
  if (batching_) throw Error(EBUSY, {.where = where_, .tried = tried, .answer = "a batch is open on this socket"});
}

Channel::Request Channel::copy(const nlmsghdr& request, unsigned flags) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&request);
  Request copied(bytes, bytes + request.nlmsg_len);
  copied.resize(NLMSG_ALIGN(copied.size()));
  auto& header = header_in(copied);
  header.nlmsg_flags |= static_cast<std::uint16_t>(flags);
  header.nlmsg_seq = ++sequence_;
  return copied;
}

void Channel::send(std::span<const iovec> pieces, const std::string& tried) {
  msghdr envelope{};
  envelope.msg_iov = const_cast<iovec*>(pieces.data());
  envelope.msg_iovlen = pieces.size();
  while (::sendmsg(fd_.get(), &envelope, 0) < 0)
    if (errno != EINTR) throw SystemError(tried, where_);
}

void Channel::send(const Request& request, const std::string& tried) {
  const iovec piece{const_cast<std::uint8_t*>(request.data()), request.size()};
  send({&piece, 1}, tried);
}

bool Channel::receive(const std::string& tried, const Reader& read, int flags) {
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
  while ((received = ::recvmsg(fd_.get(), &envelope, flags)) < 0) {
    if (errno == EAGAIN && flags == MSG_DONTWAIT) return false;
    // Without waiting: more refusals than fit; the first ones are enough.
    if (errno != EINTR && !(errno == ENOBUFS && flags == MSG_DONTWAIT))
      throw SystemError("read the answer to: " + tried, where_);
  }
  if (envelope.msg_flags & MSG_TRUNC)
    throw Error(EMSGSIZE, {.where = where_, .tried = tried, .answer = "the answer is too long"});
  if (sender.nl_pid != 0) return true;  // another process; only the kernel is believed
  int left = static_cast<int>(received);
  for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.get()); nlmsg_ok(message, left);
       message = nlmsg_next(message, &left))
    read(message);
  return true;
}

void Channel::execute(std::span<Pending> requests, std::exception_ptr& first_refusal) {
  std::vector<iovec> pieces;
  for (auto& one : requests) pieces.push_back({one.request.data(), one.request.size()});
  send(pieces, requests.front().tried);
  const std::uint32_t first = header_in(requests.front().request).nlmsg_seq;
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

void Channel::change(const nlmsghdr& request, std::string tried, std::initializer_list<int> tolerated) {
  Pending pending{copy(request, NLM_F_ACK), std::move(tried), tolerated};
  if (batching_) {
    queue_.push_back(std::move(pending));
    return;
  }
  std::exception_ptr first_refusal;
  execute({&pending, 1}, first_refusal);
  if (first_refusal) std::rethrow_exception(first_refusal);
}

std::optional<std::vector<char>> Channel::ask(const nlmsghdr& request, const std::string& tried,
                                              std::initializer_list<int> absent) {
  require_no_batch(tried);
  const auto sent = copy(request, 0);
  const auto sequence = header_in(sent).nlmsg_seq;
  send(sent, tried);
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

bool Channel::dump_once(const nlmsghdr& request, const std::string& tried, const Reader& read) {
  const auto sent = copy(request, NLM_F_DUMP);
  const auto sequence = header_in(sent).nlmsg_seq;
  send(sent, tried);
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

void Channel::dump(const nlmsghdr& request, const std::string& tried, const std::function<void()>& restart,
                   const Reader& read) {
  require_no_batch(tried);
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    if (dump_once(request, tried, read)) return;
  }
  throw Error(EAGAIN, {.where = where_,
                       .tried = tried,
                       .answer = fmt::format("the table changed during each of {} readings", kDumpAttempts)});
}

void Channel::make_room(std::size_t size) {
  int have = 0;
  socklen_t length = sizeof have;
  // The kernel keeps 32 bytes for itself and doubles what is asked for.
  const int want = static_cast<int>(size + 1024);
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &have, &length) == 0 && have >= want) return;
  if (::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof want) == 0) return;
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &want, sizeof want);
}

std::size_t Channel::room_for(std::size_t size) {
  constexpr std::size_t kOwn = 32;  // netlink_sendmsg()
  make_room(size);
  int have = 0;
  socklen_t length = sizeof have;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &have, &length) != 0)
    throw SystemError("ask how much a netlink socket may send at once", where_);
  return std::min(size, static_cast<std::size_t>(have) - kOwn);
}

std::vector<Verdict> Channel::transact(std::span<const std::uint8_t> messages, const std::string& tried) {
  require_no_batch(tried);
  make_room(messages.size());
  const iovec piece{const_cast<std::uint8_t*>(messages.data()), messages.size()};
  send({&piece, 1}, tried);
  // The kernel has handled all of it when sendmsg returns: the answers are waiting.
  std::vector<Verdict> refused;
  bool answered = false;
  const auto read = [&](const nlmsghdr* message) {
    if (message->nlmsg_type != NLMSG_ERROR) return;
    answered = true;
    if (auto verdict = read_verdict(message); verdict.error != 0) refused.push_back(std::move(verdict));
  };
  while (receive(tried, read, MSG_DONTWAIT)) {
  }
  if (!answered)
    throw SystemError(EPROTO, {.where = where_, .tried = tried, .answer = "the kernel sent no acknowledgement"});
  return refused;
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
    execute(piece, first_refusal);
    left = left.subspan(piece.size());
  }
  if (first_refusal) std::rethrow_exception(first_refusal);
}

Verdict read_verdict(const nlmsghdr* message) {
  const auto& answer = header_of<nlmsgerr>(message);
  Verdict verdict{.error = -answer.error, .extack = {}, .sequence = message->nlmsg_seq};
  if (!(message->nlmsg_flags & NLM_F_ACK_TLVS)) return verdict;
  // Between the errno and the attributes stands the refused request: whole, or only its header (NLM_F_CAPPED).
  std::size_t offset = sizeof(nlmsgerr);
  if (!(message->nlmsg_flags & NLM_F_CAPPED) && answer.error != 0)
    offset = sizeof(int) + NLMSG_ALIGN(std::size_t{answer.msg.nlmsg_len});
  const auto bytes = payload(message);
  if (offset <= bytes.size()) read_extack(bytes.subspan(offset), verdict);
  return verdict;
}

Verdict read_end_of_dump(const nlmsghdr* message) {
  const auto bytes = payload(message);
  int error = 0;
  if (bytes.size() < sizeof error) return {};
  std::memcpy(&error, bytes.data(), sizeof error);
  Verdict verdict{.error = error < 0 ? -error : 0, .extack = {}};
  if (message->nlmsg_flags & NLM_F_ACK_TLVS) read_extack(bytes.subspan(sizeof error), verdict);
  return verdict;
}

Error refusal(const std::string& where, const std::string& tried, const Verdict& verdict) {
  std::string remedy;
  if (verdict.error == EPERM)
    remedy = "run it inside the sandbox, as root, or with CAP_NET_ADMIN";
  else if (verdict.extack == "Unknown device type")
    remedy = "this kernel lacks that kind of link: load or build its module";
  return Error(verdict.error,
               Diagnosis{.where = where, .tried = tried, .answer = verdict.extack, .remedy = std::move(remedy)},
               verdict.extack);
}

}  // namespace knetsim::netlink
