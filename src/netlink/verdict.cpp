#include <linux/netlink.h>

#include <cerrno>
#include <cstring>

#include "attributes.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/netlink/error.h"

namespace knetsim::netlink {

namespace {

void read_extack(std::span<const char> bytes, Verdict& verdict) {
  const Attributes attributes(bytes, NLMSGERR_ATTR_MAX);
  verdict.extack = attributes.string(NLMSGERR_ATTR_MSG).value_or("");
  verdict.offset = attributes.u32(NLMSGERR_ATTR_OFFS);
}

std::span<const char> payload(const nlmsghdr* message) {
  return {static_cast<const char*>(nlmsg_data(message)), static_cast<std::size_t>(nlmsg_datalen(message))};
}

}  // namespace

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

Error::Error(int error, Diagnosis diagnosis, std::string extack)
    : SystemError(error, std::move(diagnosis)), extack_(std::move(extack)) {}

}  // namespace knetsim::netlink
