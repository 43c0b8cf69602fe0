#include "container_launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/algorithm/string/replace.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <utility>

#include "../pod_runtime.h"
#include "images.h"
#include "knetsim/kube/access.h"
#include "knetsim/parts/program.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/pty.h"

namespace knetsim::kubelet {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using boost::system::error_code;
using nlohmann::json;

namespace {

std::vector<std::string> words_of(const json& list) {
  std::vector<std::string> words;
  for (const auto& word : kube::list_in(list)) words.push_back(kube::text_in(word));
  return words;
}

Fd open_log(const fs::path& file) {
  Fd log(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!log) throw SystemError("open the log", file.string());
  return log;
}

Fd open_null() {
  Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");
  return null;
}

void not_block(const Fd& fd) {
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) throw SystemError("make a program's input not block");
}

/// What a program prints on its terminal goes to its log.
struct TerminalLog : std::enable_shared_from_this<TerminalLog> {
  TerminalLog(asio::io_context& context, Fd ours, Fd log) : from(context, ours.release()), to(std::move(log)) {}

  asio::posix::stream_descriptor from;
  Fd to;
  std::array<char, 16'384> buffer{};

  void go_on() {
    from.async_read_some(asio::buffer(buffer), [self = shared_from_this()](error_code error, std::size_t count) {
      if (error || ::write(self->to.get(), self->buffer.data(), count) < 0) return;
      self->go_on();
    });
  }
};

constexpr const char* kUnpacked = "image";

const Image& image_of(const json& spec) {
  const auto& reference = kube::text_at(spec, "image");
  const auto* image = find_image(reference);
  if (image != nullptr) return *image;
  throw NotYet("ErrImagePull",
               fmt::format("an image is a name for the host's programs here, and none stands for \"{}\"; remedy: take "
                           "one of {}, with the program as command",
                           reference, fmt::join(known_images(), ", ")));
}

}  // namespace

std::vector<Mount> unpack_image(const json& spec, const fs::path& home) {
  const auto& image = image_of(spec);
  const auto files = home / kUnpacked;
  for (const auto& [path, content] : image.files) {
    make_directories((files / path).parent_path());
    write_file_atomically(files / path, boost::replace_all_copy(content, std::string(kImageDirectory), files.string()));
  }
  std::vector<Mount> mounts;
  for (const auto& [directory, at] : image.places) mounts.push_back({.from = files / directory, .at = at});
  return mounts;
}

std::vector<std::string> program_of(const json& spec, const Environment& environment, const fs::path& home,
                                    const std::vector<Shown>& shown) {
  const auto& image = image_of(spec);
  std::vector<std::string> argv;
  std::vector<std::string> command;
  std::vector<std::string> args;
  for (const auto& word : words_of(kube::member(spec, "command"))) command.push_back(expanded(word, environment));
  for (const auto& word : words_of(kube::member(spec, "args"))) args.push_back(expanded(word, environment));
  argv = argv_of(image, command, args);
  if (argv.empty()) throw NotYet("CreateContainerError", "no command specified");
  for (auto& word : argv) boost::replace_all(word, std::string(kImageDirectory), (home / kUnpacked).string());
  if (argv.front() == kAgnhost)
    argv.front() = parts::find_own("knetsim-agnhost").path.string();
  else if (image.applets && !find_program(argv.front()) && find_program("busybox"))
    argv.insert(argv.begin(), "busybox");
  const auto is_root = [](const Shown& one) { return one.at == "/"; };
  if (argv.front().starts_with('/') && std::any_of(shown.begin(), shown.end(), is_root)) return argv;
  try {
    require_program(argv.front());
  } catch (const InputError& error) {
    throw NotYet("CreateContainerError", error.what());
  }
  return argv;
}

StartedProgram start_program(asio::io_context& context, const Command& command, const std::vector<Shown>& shown,
                             const json& spec, const fs::path& file) {
  auto log = open_log(file);
  if (kube::bool_at(spec, "tty")) {
    auto pair = PtyPair::open();
    auto child =
        Child::launch(command, pair.programs, pair.programs, pair.programs, {.terminal = true, .shown = shown});
    std::make_shared<TerminalLog>(context, duplicate(pair.ours), std::move(log))->go_on();
    return {.child = std::move(child), .in = std::move(pair.ours), .terminal = true};
  }
  if (!kube::bool_at(spec, "stdin")) return {.child = Child::launch(command, open_null(), log, log, {.shown = shown})};
  auto in = Pipe::create();
  not_block(in.write);
  auto child = Child::launch(command, in.read, log, log, {.shown = shown});
  return {.child = std::move(child), .in = std::move(in.write), .in_once = kube::bool_at(spec, "stdinOnce")};
}

}  // namespace knetsim::kubelet
