#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/sys/child.h"
#include "knetsim/sys/fd.h"

namespace knetsim {

/// One container of a pod, on the node that is asked for it.
struct PodContainer {
  std::string node;       ///< as the emulation calls it: "C0w1"
  std::string ns;         ///< "default"
  std::string pod;        ///< as the API calls it: "c-1"
  std::string container;  ///< "c-1"
};

/// Which of a program's streams somebody wants to hold. It reads and writes /dev/null for the others.
struct Streams {
  bool in = false;
  bool out = false;
  bool err = false;
  bool terminal = false;  ///< one pseudo terminal for all of them: nothing comes on err then
};

/// A program that was started in a container. None of the descriptors blocks; those that nobody wanted are empty.
struct PodProgram {
  Child child;
  Fd in;   ///< closing it is the end of the program's input, unless it is a terminal
  Fd out;  ///< of a terminal both are its side of ours (pty.h)
  Fd err;
  Fd container;  ///< readable, or hung up, when the container is taken away: the program is to be ended then
};

/// What a container's main program prints.
struct PodLog {
  std::filesystem::path file;  ///< stdout and stderr, as they come; may be absent: nothing was printed
  Fd ended;                    ///< readable, or hung up, when that run has ended; empty: it has
};

/// What somebody who attaches to a container's main program gets; what it prints from now on is in the log.
struct PodAttachment {
  Fd in;                  ///< doesn't block; empty: its input is nobody's
  bool terminal = false;  ///< `in` is our side of its terminal
  PodLog log;
};

/// What a kubelet's endpoint can do with the containers of its node's pods. Threads may call it side by side. All of
/// it throws InputError, in one line that says what there is, if there is no such pod or container on that node.
class PodRuntime {
 public:
  PodRuntime() = default;
  PodRuntime(const PodRuntime&) = delete;
  PodRuntime& operator=(const PodRuntime&) = delete;
  virtual ~PodRuntime() = default;

  /// In the container's network namespace, directory and environment. Throws InputError also if it doesn't run, Error
  /// if the program can't be started.
  virtual PodProgram start(const PodContainer& where, std::vector<std::string> argv, Streams wanted) = 0;
  /// Throws InputError also if there is nothing to attach to.
  virtual PodAttachment attach(const PodContainer& where) = 0;
  /// A TCP socket (IPv4) in the pod's network, which doesn't block. The container may be any of the pod's, or none.
  virtual Fd socket_in(const PodContainer& pod) = 0;
  /// Of its present run, or, if `previous`, of the one before; throws InputError if there was none.
  virtual PodLog log(const PodContainer& where, bool previous) = 0;
};

/// Starts a command with pipes, or a terminal, for those of its streams that are wanted. `container` stays empty.
PodProgram start_with_streams(const Command& command, Streams wanted, const std::vector<Shown>& shown = {});

/// As PodRuntime::socket_in(), in that network; throws SystemError.
Fd tcp_socket_in(const NetNs& netns);

/// Another descriptor for the same thing; throws SystemError.
Fd duplicate(FdView fd);

}  // namespace knetsim
