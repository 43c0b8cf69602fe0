// The v2 store (etcd's Documentation/v2/api.md): keys are paths, values are sent as a form.
#include <utility>

#include "answer.h"
#include "client_impl.h"
#include "knetsim/sys/text.h"
#include "wire.h"

namespace knetsim::etcd {

using boost::beast::http::verb;

namespace {

constexpr std::int64_t kKeyNotFound = 100;
constexpr unsigned kCreated = 201;

/// Percent-encodes all but RFC 3986's unreserved characters and those in `kept`.
std::string percent_encode(const std::string& text, const std::string& kept = {}) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  static constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos || kept.find(c) != std::string::npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += {'%', kHex[byte >> 4], kHex[byte & 0xf]};
    }
  }
  return encoded;
}

std::string target_of(const std::string& key) {
  return "/v2/keys" + std::string(key.starts_with('/') ? "" : "/") + percent_encode(key, "/");
}

[[noreturn]] void refuse(const Answer& answer, const std::string& target) {
  std::string text = "HTTP " + std::to_string(answer.status) + ": " + excerpt(answer.body);
  if (answer.status == 404) text += " (was etcd started with --enable-v2?)";
  throw Error(Error::Code::other, diagnose(answer.endpoint, target, text));
}

}  // namespace

awaitable<void> Client::put_v2(std::string key, std::string value) {
  Call put;
  put.verb = verb::put;
  put.target = target_of(key);
  put.body = "value=" + percent_encode(value);
  put.content_type = "application/x-www-form-urlencoded";
  const std::string target = put.target;
  const Answer answer = co_await impl_->send(std::move(put));
  if (answer.status != kOk && answer.status != kCreated) refuse(answer, target);
}

namespace {

/// Has `read` take the answer's node apart, an empty one if it has none; what it returns for no such key is nothing.
template <typename Read>
auto read_node(const Answer& answer, const std::string& target, Read read) {
  return read_answer(answer.endpoint, target, [&] {
    JsonDocument body;
    try {
      body = wire::parse(answer.body);
    } catch (const InputError&) {
      refuse(answer, target);
    }
    const JsonPlace at(body);
    if (wire::int64_at(at, "errorCode") == kKeyNotFound) return decltype(read(at)){};
    if (answer.status != kOk) refuse(answer, target);
    return read(at["node"]);
  });
}

Call get_call(const std::string& key) {
  Call get;
  get.verb = verb::get;
  get.target = target_of(key);
  get.content_type.clear();
  get.retry = Call::Retry::unavailable;
  return get;
}

}  // namespace

awaitable<std::optional<std::string>> Client::get_v2(std::string key) {
  const Call get = get_call(key);
  const Answer answer = co_await impl_->send(get);
  co_return read_node(answer, get.target, [](const JsonPlace& node) {
    if (wire::bool_at(node, "dir")) node.refuse("that key is a directory");
    return std::optional(wire::string_at(node, "value"));
  });
}

awaitable<std::vector<std::string>> Client::keys_v2(std::string directory) {
  const Call get = get_call(directory);
  const Answer answer = co_await impl_->send(get);
  co_return read_node(answer, get.target, [](const JsonPlace& node) {
    return node.each("nodes", [](const JsonPlace& each) { return wire::string_at(each, "key"); });
  });
}

}  // namespace knetsim::etcd
