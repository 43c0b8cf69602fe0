#include "lab_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"
#include "text.h"

namespace knetsim::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLongestName = 40;
constexpr const char* kEnding = ".sock";
constexpr const char* kKubeconfigEnding = ".kubeconfig";

// Two that start at once mustn't take the same name, nor one remove the other's socket as a dead one's.
class Locked {
 public:
  explicit Locked(FdView directory) : directory_(directory) {
    if (::flock(directory_.get(), LOCK_EX) != 0) throw SystemError("lock the state directory");
  }
  ~Locked() { ::flock(directory_.get(), LOCK_UN); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  FdView directory_;
};

void require_name(const std::string& name) {
  const bool plain =
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string::npos;
  if (plain && !name.empty() && name.size() <= kLongestName && name.front() != '.' && name.front() != '-') return;
  throw InputError(fmt::format("{} can't be the name of a lab\n  remedy: up to {} letters, digits, and . _ - within",
                               excerpt(name), kLongestName));
}

// Through the descriptor: the path may be longer than sun_path, and nobody can swap a part of it.
sockaddr_un address_of(FdView directory, const std::string& name) {
  const auto path = fmt::format("/proc/self/fd/{}/{}{}", directory.get(), name, kEnding);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Fd make_socket() {
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError("make a socket");
  return socket;
}

// Empty if nobody listens there.
Fd try_connect(FdView directory, const std::string& name) {
  auto socket = make_socket();
  const auto address = address_of(directory, name);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
  if (errno == ECONNREFUSED || errno == ENOENT) return {};
  throw SystemError("reach the lab", name);
}

SystemError unusable(int error, const std::string& tried, const fs::path& path) {
  return {error,
          {.where = path.string(),
           .tried = tried,
           .remedy = "set XDG_RUNTIME_DIR to a directory of yours that can be written, or remove what is there"}};
}

fs::path default_place() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  struct stat there {};
  if (runtime != nullptr && *runtime == '/' && ::stat(runtime, &there) == 0 && there.st_uid == ::geteuid())
    return fs::path(runtime) / "knetsim";
  // Root has a directory that nobody cleans and nobody else writes to.
  if (::geteuid() == 0 && ::stat("/run", &there) == 0 && there.st_uid == 0 && (there.st_mode & 022U) == 0 &&
      ::access("/run", W_OK) == 0)
    return "/run/knetsim-0";
  return fmt::format("/tmp/knetsim-{}", ::geteuid());
}

constexpr std::size_t kDescriptorsAtMost = 3;
constexpr std::size_t kLongest = 1 << 17;

union Control {
  cmsghdr header;  // for its alignment
  std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsAtMost)> bytes;
};

}  // namespace

void Registration::end() noexcept {
  if (!directory_) return;
  for (const auto* const ending : {kEnding, kKubeconfigEnding})
    ::unlinkat(directory_.get(), (name_ + ending).c_str(), 0);
  directory_.reset();
}

fs::path Registration::write_kubeconfig(const std::string& content) const {
  const auto name = name_ + kKubeconfigEnding;
  ::unlinkat(directory_.get(), name.c_str(), 0);  // of one that was killed
  const Fd file(::openat(directory_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file || ::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    throw SystemError("write the kubeconfig", (path_ / name).string());
  return path_ / name;
}

StateDirectory StateDirectory::open() {
  const auto path = default_place();
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw unusable(errno, "make the state directory", path);
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) throw unusable(errno, "open the state directory", path);
  struct stat found {};
  if (::fstat(directory.get(), &found) != 0) throw SystemError("look at the state directory", path.string());
  if (found.st_uid != ::geteuid() || (found.st_mode & 077U) != 0)
    throw InputError(
        describe({.where = path.string(),
                  .tried = "use it as the state directory",
                  .answer = fmt::format("it belongs to uid {} and has the mode {:o}; it must be ours alone",
                                        found.st_uid, found.st_mode & 0777U),
                  .remedy = "remove it, or set XDG_RUNTIME_DIR to a directory of yours"}));
  return {std::move(directory), path};
}

bool StateDirectory::is_taken(const std::string& name) const {
  if (try_connect(directory_, name)) return true;
  ::unlinkat(directory_.get(), (name + kEnding).c_str(), 0);  // of one that was killed
  return false;
}

Registration StateDirectory::take(const std::string& name) const {
  auto listener = make_socket();
  const auto address = address_of(directory_, name);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), SOMAXCONN) != 0)
    throw unusable(errno, "make the lab's socket", path_ / (name + kEnding));
  Fd directory(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0));
  if (!directory) throw SystemError("keep the state directory open", path_.string());
  return {std::move(directory), path_, name, std::move(listener)};
}

Registration StateDirectory::reserve(const std::string& name) const {
  require_name(name);
  const Locked lock(directory_);
  if (is_taken(name))
    throw InputError(
        fmt::format("a lab called {} runs already\n  remedy: another --name, or knetsim down {}", name, name));
  return take(name);
}

Registration StateDirectory::reserve_like(const std::string& name) const {
  require_name(name);
  const Locked lock(directory_);
  auto free = name;
  for (int number = 2; is_taken(free); ++number) free = fmt::format("{}-{}", name, number);
  return take(free);
}

std::vector<std::string> StateDirectory::names() const {
  const Locked lock(directory_);
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(fmt::format("/proc/self/fd/{}", directory_.get())))
    if (entry.path().extension() == kEnding) found.push_back(entry.path().stem());
  std::erase_if(found, [this](const std::string& name) { return !is_taken(name); });
  std::sort(found.begin(), found.end());
  return found;
}

Fd StateDirectory::connect(const std::string& name) const {
  require_name(name);
  if (auto connection = try_connect(directory_, name)) return connection;
  const auto running = names();
  throw InputError(
      fmt::format("no lab called {} runs{}", name,
                  running.empty() ? "\n  remedy: knetsim up starts one" : "\n  remedy: one of " + join(running, ", ")));
}

std::string only_lab(const StateDirectory& labs) {
  const auto names = labs.names();
  if (names.empty()) throw InputError("no lab stands here\n  remedy: knetsim up starts one");
  if (names.size() > 1)
    throw InputError("which lab? " + count_of(names.size(), "lab") + " stand\n  remedy: name one of " +
                     join(names, ", "));
  return names.front();
}

Peer peer_of(FdView connection) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    throw SystemError("ask who is at the other end");
  return {credentials.pid, credentials.uid};
}

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
