#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "knetsim/apiserver/access.h"

namespace knetsim::apiserver {

/// The objects that an Informer follows.
struct Collection {
  std::string path;         ///< "/api/v1/pods", "/apis/apps/v1/namespaces/shop/deployments"
  std::string labels = {};  ///< labelSelector: "app=web"
  std::string fields = {};  ///< fieldSelector: "spec.nodeName=w1"
  /// After so long the server ends a watch, which then goes on where it was.
  std::chrono::seconds watch_time{480};
};

/// What an Informer tells, in the thread that runs its context. What these throw comes out of io_context::run(). They
/// must not destroy the informer.
struct InformerCalls {
  /// An object as it was, null if it wasn't there; and as it is, null if it is gone. Valid for the call alone, which
  /// must not call note() or forget().
  std::function<void(const nlohmann::json* before, const nlohmann::json* now)> changed = {};
  /// The whole collection has been read: objects() is complete from now on. Again after each time that too much was
  /// missed; what differed then has been told as changes.
  std::function<void()> listed = {};
  /// It can't be read or watched at present, and why; tried again until it can.
  std::function<void(const std::string& why)> interrupted = {};
};

/// A collection of an API server as it is now, by list and watch, as client-go's informers do: it reconnects, goes on
/// after the last change that it has seen, and lists again when the server no longer knows what was missed (410).
/// Everything happens in the thread that runs the context; stopping the context, or destroying the informer (in that
/// thread, or when none runs), ends it at once. The context must outlive it. Its sockets are of the network namespace
/// of that thread. Move-only.
class Informer {
 public:
  /// Begins when the context runs.
  Informer(boost::asio::io_context& context, Access access, Collection collection, InformerCalls calls);
  Informer(Informer&&) noexcept;
  Informer& operator=(Informer&&) noexcept;
  ~Informer();

  /// By key_of().
  const std::map<std::string, nlohmann::json, std::less<>>& objects() const noexcept;
  /// Null if there is none.
  const nlohmann::json* find(std::string_view key) const;
  const nlohmann::json* find(std::string_view ns, std::string_view name) const;
  /// Whether the collection has been read once.
  bool listed() const noexcept;

  /// What a write of one's own was answered with, so that the next decision knows of it before the watch tells: it is
  /// told as a change, and once. An older state than what is known is left out.
  void note(nlohmann::json object);
  /// The same of an object that one has deleted, and that went at once.
  void forget(const nlohmann::json& object);

  /// "shop/web", "w1"
  static std::string key_of(const nlohmann::json& object);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// metadata.resourceVersion; 0 if there is none. Only revisions of one server can be compared.
std::uint64_t revision_of(const nlohmann::json& object);

}  // namespace knetsim::apiserver
