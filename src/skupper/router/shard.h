#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

namespace knetsim::skupper::router {

struct View;

/// One thread's world: its event loop, its buffers, its copy of the routes. A connection belongs to one shard, which
/// alone touches it, so that bytes go from socket to socket without a lock and without waking another thread.
class Shard {
 public:
  Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Makes the calling thread this shard's, and works until stop(). What an event throws goes to `failed`; the next one
  /// comes.
  void run(const std::function<void(const std::exception&)>& failed);
  void stop() { context_.stop(); }
  /// Makes the calling thread this shard's, and does what there is to do now.
  void poll();
  /// Whether the calling thread is this shard's.
  bool here() const noexcept;
  boost::asio::io_context& context() noexcept { return context_; }

  /// From any thread.
  template <typename F>
  void post(F&& f) {
    boost::asio::post(context_, std::forward<F>(f));
  }

  /// What has just been read from a socket, until it is handed on; and what is just about to be written to one.
  std::span<char> input() noexcept { return *input_; }
  std::span<char> output() noexcept { return *output_; }

  /// Keeps an object alive until release(). From this shard's thread.
  void keep(std::shared_ptr<void> object) { kept_.emplace(object.get(), object); }
  void release(void* object) { kept_.erase(object); }

  const View& view() const noexcept { return *view_; }
  /// From this shard's thread.
  void set_view(std::shared_ptr<const View> view) noexcept { view_ = std::move(view); }

 private:
  static constexpr std::size_t kBuffer = 256 * 1024;

  boost::asio::io_context context_{1};
  std::unique_ptr<std::array<char, kBuffer>> input_ = std::make_unique_for_overwrite<std::array<char, kBuffer>>();
  std::unique_ptr<std::array<char, kBuffer>> output_ = std::make_unique_for_overwrite<std::array<char, kBuffer>>();
  std::shared_ptr<const View> view_;
  std::unordered_map<void*, std::shared_ptr<void>> kept_;
};

}  // namespace knetsim::skupper::router
