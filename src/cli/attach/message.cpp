#include "message.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "knetsim/sys/error.h"

namespace knetsim::cli {

namespace {

constexpr std::size_t kDescriptorsAtMost = 3;
constexpr std::size_t kLongest = 1 << 17;

union Control {
  cmsghdr header;  // for its alignment
  std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsAtMost)> bytes;
};

}  // namespace

void send_message(FdView socket, const std::string& text, const std::vector<FdView>& descriptors) {
  if (text.size() > kLongest) throw InputError("the command is too long");
  iovec content{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  Control control{};
  if (!descriptors.empty()) {
    std::vector<int> numbers;
    for (const auto& descriptor : descriptors) numbers.push_back(descriptor.get());
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * numbers.size());
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * numbers.size());
    std::memcpy(CMSG_DATA(header), numbers.data(), sizeof(int) * numbers.size());
  }
  while (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) {
    if (errno == EPIPE || errno == ECONNRESET) return;
    if (errno != EINTR) throw SystemError("send a message");
  }
}

std::optional<Message> receive_message(FdView socket) {
  std::string text(kLongest, '\0');
  iovec content{text.data(), text.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  ssize_t length = 0;
  do length = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  while (length < 0 && errno == EINTR);
  if (length < 0 && errno != ECONNRESET) throw SystemError("receive a message");
  Message result;
  for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::vector<int> numbers((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(numbers.data(), CMSG_DATA(header), numbers.size() * sizeof(int));
    for (const int number : numbers) result.descriptors.emplace_back(number);
  }
  if (length <= 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(length));
  result.text = std::move(text);
  return result;
}

}  // namespace knetsim::cli
