#include "knetsim/emulator/node.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sysctl.h"
#include "pod_runtime.h"

namespace knetsim {

namespace {

// What a Linux router is, whatever the host's own defaults are.
void prepare_stack() {
  const SysctlDirectory conf("net.ipv4.conf");
  const auto all = conf.open("all");
  all.write("forwarding", "1");  // what ip_forward is another name of
  const auto fresh = conf.open("default");
  for (const auto* scope : {&all, &fresh}) {
    scope->write("rp_filter", "0");
    scope->write("send_redirects", "0");
  }
}

// bash takes PS1 from the environment only if no file of the host's sets it: this one comes last. A worker's containers
// share its directory.
void write_shell_settings(const std::filesystem::path& home) {
  const auto file = home / ".bashrc";
  if (!std::filesystem::exists(file)) write_file_atomically(file, "PS1='$KNETSIM_NODE:\\w\\$ '\n");
}

// Two lines of each protocol: the names of its counters, then their values.
long v4_requests(const std::string& snmp) {
  std::istringstream text(snmp);
  for (std::string names, values; std::getline(text, names) && std::getline(text, values);) {
    if (!names.starts_with("Icmp:")) continue;
    std::istringstream name_words(names);
    std::istringstream value_words(values);
    for (std::string name, value; name_words >> name && value_words >> value;)
      if (name == "InEchos") return std::stol(value);
  }
  throw Error("/proc/net/snmp has no Icmp InEchos");
}

long v6_requests(const std::string& snmp6) {
  std::istringstream text(snmp6);
  for (std::string name, value; text >> name >> value;)
    if (name == "Icmp6InEchos") return std::stol(value);
  return 0;  // a kernel without IPv6
}

/// Whatever runs in this namespace, but for ourselves, who may look into it just now.
void kill_all_in(const NetNs& netns) {
  const auto inode = netns.inode();
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
    const auto pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0 || pid == ::getpid()) continue;
    // Opened before it is looked at: its number can't be another's then.
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    struct stat its {};
    if (process && ::stat((entry.path() / "ns" / "net").c_str(), &its) == 0 && its.st_ino == inode)
      ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  }
}

}  // namespace

Node::Node(std::string name, std::string pin, std::filesystem::path directory, std::shared_ptr<const UtsNs> machine)
    : name_(std::move(name)),
      pin_(std::move(pin)),
      netns_(NetNs::create()),
      uts_(machine ? std::move(machine) : std::make_shared<const UtsNs>(UtsNs::create(name_))),
      directory_(std::move(directory)) {
  make_directories(directory_);
  write_shell_settings(directory_);
  netns_.run(prepare_stack);
  netns_.pin(pin_);
}

Node::~Node() {
  if (!pin_.empty() && pinned_) NetNs::unpin(pin_);
}

void Node::unpin() {
  NetNs::unpin(pin_);
  pinned_ = false;
}

Command Node::command(std::vector<std::string> argv) const {
  auto environment = variables_;
  environment["KNETSIM_NODE"] = name_;
  environment["PS1"] = name_ + (::geteuid() == 0 ? "# " : "$ ");
  return {.argv = std::move(argv),
          .netns = &netns_,
          .uts = uts_.get(),
          .directory = directory_,
          .environment = std::move(environment),
          .trust = trust_};
}

ExecResult Node::exec(std::vector<std::string> argv, std::chrono::milliseconds timeout) const {
  return knetsim::exec(command(std::move(argv)), timeout);
}

Process Node::spawn(std::vector<std::string> argv, const std::string& log) const {
  return Process::spawn(command(std::move(argv)), directory_ / log);
}

netlink::Socket Node::netlink() const { return netlink::Socket(netns_, name_); }

long echo_requests_received(const Node& node) {
  return node.netns().run([] {
    // /proc/net is the main thread's, whichever thread reads it.
    return v4_requests(read_file("/proc/thread-self/net/snmp")) + v6_requests(read_file("/proc/thread-self/net/snmp6"));
  });
}

Daemon& Container::run(const std::vector<std::string>& argv) {
  const auto start = [this, argv] { return std::make_shared<Process>(spawn(argv, log().filename())); };
  program_.reset();
  return program_.emplace(name() + " " + argv.at(0), start(), start);
}

Fd Container::end() {
  if (!life_.write) life_ = Pipe::create();
  return duplicate(life_.read);
}

void Container::retire() {
  unpin();
  life_.write.reset();
  kill_all_in(netns());
}

Daemon& Container::program() {
  if (!program_)
    throw InputError(describe({.where = name(),
                               .tried = "find its program",
                               .answer = "it runs none",
                               .remedy = "give it a \"command\" in the topology, or run one"}));
  return *program_;
}

}  // namespace knetsim
