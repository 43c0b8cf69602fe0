#include "session.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "attributes.h"
#include "knetsim/nft/error.h"

namespace knetsim::nft {

namespace {

constexpr std::size_t kReceiveSize = 64 * 1024;

Fd open_socket() {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!socket) throw SystemError("open a netfilter netlink socket");
  const int on = 1;
  ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    throw SystemError("bind a netfilter netlink socket");
  }
  return socket;
}

Refusal parse_refusal(const nlmsghdr& header, const nlmsgerr& answer) {
  Refusal refusal{.sequence = answer.msg.nlmsg_seq, .error = -answer.error, .text = {}, .offset = {}};
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return refusal;
  // With NLM_F_CAPPED only the header of our message comes before the attributes.
  std::size_t skip = sizeof(nlmsgerr);
  if ((header.nlmsg_flags & NLM_F_CAPPED) == 0) skip += answer.msg.nlmsg_len - sizeof(nlmsghdr);
  for_each_attribute(payload_of(header, skip), [&](Attribute attribute) {
    const auto payload = attribute.payload();
    if (attribute.type() == NLMSGERR_ATTR_MSG) {
      const auto* text = reinterpret_cast<const char*>(payload.data());
      refusal.text.assign(text, strnlen(text, payload.size()));
    } else if (attribute.type() == NLMSGERR_ATTR_OFFS && payload.size() == sizeof(std::uint32_t)) {
      refusal.offset = mnl_attr_get_u32(attribute.raw());
    }
  });
  return refusal;
}

}  // namespace

Session::Session(const NetNs& netns) : socket_(netns.run([] { return open_socket(); })) {}

void Session::make_room(std::size_t size) {
  int have = 0;
  socklen_t length = sizeof have;
  // The kernel keeps 32 bytes for itself and doubles what is asked for.
  const int want = static_cast<int>(size + 1024);
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &have, &length) == 0 && have >= want) return;
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof want) == 0) return;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &want, sizeof want);
}

std::vector<Refusal> Session::send(std::span<const std::uint8_t> messages) {
  make_room(messages.size());
  if (::send(socket_.get(), messages.data(), messages.size(), 0) < 0) {
    const int error = errno;
    throw Error(error, "the ruleset",
                {.where = "nft",
                 .tried = fmt::format("send a change of {} bytes to the kernel", messages.size()),
                 .answer = {},
                 .remedy = error == EMSGSIZE
                               ? "without root in the initial user namespace, a change can't be larger than twice the "
                                 "host's sysctl net.core.wmem_max: raise that, or make the change in several parts"
                               : ""});
  }
  // The kernel has handled all of it when send returns: the answers are waiting.
  std::vector<Refusal> refusals;
  bool answered = false;
  std::vector<std::uint8_t> buffer(kReceiveSize);
  while (true) {
    const ssize_t received = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (received < 0) {
      if (errno == EINTR || errno == ENOBUFS) continue;  // more refusals than fit: the first ones are enough
      if (errno == EAGAIN) break;
      throw SystemError("receive the kernel's answer to a ruleset change");
    }
    int left = static_cast<int>(received);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_type != NLMSG_ERROR) continue;
      const auto* answer = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
      answered = true;
      if (answer->error != 0) refusals.push_back(parse_refusal(*header, *answer));
    }
  }
  if (!answered)
    throw SystemError(
        EPROTO,
        {.where = {}, .tried = "change the ruleset", .answer = "the kernel sent no acknowledgement", .remedy = {}});
  return refusals;
}

int Session::request(std::span<const std::uint8_t> message, const std::function<void(const nlmsghdr&)>& each) {
  if (::send(socket_.get(), message.data(), message.size(), 0) < 0) throw SystemError("ask the kernel for its ruleset");
  const bool dump = (reinterpret_cast<const nlmsghdr*>(message.data())->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  bool interrupted = false;
  std::vector<std::uint8_t> buffer(kReceiveSize);
  while (true) {
    const ssize_t received = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (received < 0) {
      if (errno == EINTR) continue;
      throw SystemError("receive the kernel's ruleset");
    }
    int left = static_cast<int>(received);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      if (header->nlmsg_type == NLMSG_DONE) {
        const int error = -*static_cast<const int*>(mnl_nlmsg_get_payload(header));
        return error != 0 ? error : interrupted ? EINTR : 0;
      }
      if (header->nlmsg_type == NLMSG_ERROR) return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header))->error;
      each(*header);
      if (!dump) return 0;
    }
  }
}

std::uint32_t Session::generation() {
  alignas(nlmsghdr) std::array<std::uint8_t, MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(nfgenmsg))> message{};
  auto* header = mnl_nlmsg_put_header(message.data());
  header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
  header->nlmsg_flags = NLM_F_REQUEST;
  mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg));
  std::optional<std::uint32_t> number;
  const int error = request(message, [&](const nlmsghdr& answer) {
    for_each_attribute(payload_of(answer, sizeof(nfgenmsg)), [&](Attribute attribute) {
      if (attribute.type() == NFTA_GEN_ID) number = ntohl(mnl_attr_get_u32(attribute.raw()));
    });
  });
  if (!number) {
    throw Error(error != 0 ? error : EPROTO, "the ruleset",
                {.where = "nft", .tried = "ask for the ruleset's generation", .answer = {}, .remedy = {}});
  }
  return *number;
}

}  // namespace knetsim::nft
