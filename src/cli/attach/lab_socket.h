#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/fd.h"

namespace knetsim::cli {

/// A lab's name and socket in the state directory, taken away again with this. Held by whoever runs the lab.
class Registration {
 public:
  Registration(Registration&&) noexcept = default;
  Registration& operator=(Registration&&) noexcept = delete;
  ~Registration() { end(); }

  /// Takes it away now.
  void end() noexcept;
  const std::string& name() const noexcept { return name_; }
  /// Listens; visitors' connections wait there until somebody accepts them.
  FdView listener() const noexcept { return listener_; }
  /// A file beside the socket, for its user alone, which goes with it; returns its path. Throws SystemError.
  std::filesystem::path write_kubeconfig(const std::string& content) const;

 private:
  friend class StateDirectory;
  Registration(Fd directory, std::filesystem::path path, std::string name, Fd listener)
      : directory_(std::move(directory)),
        path_(std::move(path)),
        name_(std::move(name)),
        listener_(std::move(listener)) {}

  Fd directory_;
  std::filesystem::path path_;
  std::string name_;
  Fd listener_;
};

/// Where running labs are found: one socket each (unix(7), SOCK_SEQPACKET) in $XDG_RUNTIME_DIR/knetsim, else in
/// /run/knetsim-0 (root) or /tmp/knetsim-<uid>. Only its user can enter it; whoever else has made it is not trusted.
class StateDirectory {
 public:
  /// Made if absent. Throws InputError with the remedy if it isn't a directory of our own that others can't enter.
  static StateDirectory open();

  /// Takes the name; throws InputError if it can't be one, or a lab of that name runs.
  Registration reserve(const std::string& name) const;
  /// The same with the first free one of "demo", "demo-2", "demo-3" ...
  Registration reserve_like(const std::string& name) const;
  /// Of the labs that run, sorted. Removes the sockets of those that were killed.
  std::vector<std::string> names() const;
  /// A connection to a lab; throws InputError naming those that run.
  Fd connect(const std::string& name) const;

 private:
  StateDirectory(Fd directory, std::filesystem::path path) : directory_(std::move(directory)), path_(std::move(path)) {}
  bool is_taken(const std::string& name) const;
  Registration take(const std::string& name) const;

  Fd directory_;
  std::filesystem::path path_;
};

/// The name of the lab that is meant when none is named. Throws InputError unless exactly one stands.
std::string only_lab(const StateDirectory& labs);

/// Who is at the other end (SO_PEERCRED): for a lab's socket, the process that `knetsim up` is outside its sandbox.
struct Peer {
  pid_t pid;
  uid_t uid;
};
Peer peer_of(FdView connection);

/// What goes over a lab's socket: one JSON object, docs/results-schema.md, "knetsim.attach/1", and descriptors.
struct Message {
  std::string text;
  std::vector<Fd> descriptors;
};

/// Throws SystemError; a peer that has gone is no error.
void send_message(FdView socket, const std::string& text, const std::vector<FdView>& descriptors = {});
/// The next one; blocks. nullopt if the peer has gone.
std::optional<Message> receive_message(FdView socket);

}  // namespace knetsim::cli
