#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller.h"
#include "knetsim/apiserver/client.h"
#include "knetsim/apiserver/watch.h"

namespace knetsim::controllers {

/// Has all controllers at work: tells them of changes, and does what they decide, one write after the other. What was
/// written is known to the next decision. Everything happens in the thread that runs the context.
class Manager {
 public:
  /// `ready` is called when everything has been read once; nothing is decided before.
  Manager(boost::asio::io_context& context, const boost::asio::ip::tcp::endpoint& server,
          std::vector<const Controller*> controllers, std::function<void()> ready);

 private:
  /// A key of one controller.
  struct Item {
    const Controller* controller = nullptr;
    std::string key;
    auto operator<=>(const Item&) const = default;
  };
  enum class Outcome { done, left_out, failed };

  void watch(boost::asio::io_context& context, const boost::asio::ip::tcp::endpoint& server, const kube::Kind& kind);
  void has_listed();
  void has_changed(const kube::Kind& kind, const json* before, const json* now);
  void enqueue(Item item);
  void work();
  void decide(const Item& item);
  Outcome perform(const Write& write);
  Outcome ask(const Question& question);
  void learn(const Write& write, json answer);
  void fail(const Item& item, const std::string& why);
  /// Looks at it again at that time, or earlier.
  void enqueue_at(const Item& item, std::chrono::steady_clock::time_point time);
  void wait_for_due();

  boost::asio::io_context* context_;
  std::vector<const Controller*> controllers_;
  std::function<void()> ready_;
  apiserver::Client client_;
  View view_;
  std::map<const kube::Kind*, apiserver::Informer> informers_;
  bool all_listed_ = false;
  std::deque<Item> queue_;
  std::set<Item> queued_;
  bool at_work_ = false;
  std::map<Item, std::chrono::steady_clock::time_point> due_;
  std::map<Item, int> failures_;  // in a row
  boost::asio::steady_timer timer_;
  std::string failure_;  // of the write that failed last
};

}  // namespace knetsim::controllers
