#pragma once

#include <memory>
#include <string>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"

namespace knetsim::netlink {

class Channel;

/// A NETLINK_ROUTE socket (rtnetlink(7)) that lives in one namespace, whichever its caller's thread is in. Every
/// function of this layer takes one. Move-only; not thread-safe: one for each thread.
class Socket {
 public:
  /// `where` (a node's name) begins the text of every error.
  explicit Socket(const NetNs& ns, std::string where = {});
  /// In the calling thread's namespace.
  static Socket here(std::string where = {});
  /// One that speaks to netfilter (nfnetlink) instead, for Conntrack.
  static Socket netfilter(const NetNs& ns, std::string where = {});

  Socket(Socket&&) noexcept;
  Socket& operator=(Socket&&) noexcept;
  ~Socket();

  /// For this layer's own files.
  Channel& channel() const;

 private:
  explicit Socket(std::unique_ptr<Channel> channel);
  std::unique_ptr<Channel> channel_;
};

/// While it stands, changes made through its socket (create_*, set_*, add_*, replace_*, delete_*) are collected;
/// commit() sends them together (in pieces that the socket's buffers hold) and reads the acknowledgements. The kernel
/// executes them in their order and undoes nothing: commit() throws the first refusal after all were tried. Reading
/// through the socket meanwhile is an Error. A link used later in the same batch needs an index that the caller chose
/// (VethEnd::index and kin).
class Batch {
 public:
  explicit Batch(Socket& socket);
  ~Batch();  ///< what wasn't committed is forgotten
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void commit();

 private:
  Channel& channel_;
};

}  // namespace knetsim::netlink
