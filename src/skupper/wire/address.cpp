#include "wire/address.h"

#include <fmt/format.h>

namespace knetsim::skupper::wire {

namespace {

constexpr std::string_view kScheme = "amqp:/";
constexpr std::string_view kLocal = "_local/";
constexpr std::string_view kTopological = "_topo/";
constexpr std::string_view kEdge = "_edge/";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_";
constexpr std::size_t kDiscriminatorLength = 15;

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// Up to the next slash, which is taken too.
std::string take_segment(std::string_view& text) {
  const auto slash = text.find('/');
  std::string segment(text.substr(0, slash));
  text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
  return segment;
}

struct AddressPrinter {
  std::string operator()(const LocalAddress& address) const { return fmt::format("amqp:/_local/{}", address.local); }
  std::string operator()(const TopologicalAddress& address) const {
    return fmt::format("amqp:/_topo/{}/{}/{}", address.area, address.router, address.local);
  }
  std::string operator()(const EdgeAddress& address) const {
    return fmt::format("amqp:/_edge/{}/{}", address.router, address.local);
  }
  std::string operator()(const MobileAddress& address) const { return address.name; }
};

}  // namespace

Address parse_address(std::string_view text) {
  auto rest = text;
  if (take_prefix(rest, kScheme) && take_prefix(rest, "/")) take_segment(rest);
  if (take_prefix(rest, kLocal)) return LocalAddress{std::string(rest)};
  if (take_prefix(rest, kTopological)) {
    TopologicalAddress address;
    address.area = take_segment(rest);
    address.router = take_segment(rest);
    address.local = rest;
    return address;
  }
  if (take_prefix(rest, kEdge)) {
    EdgeAddress address;
    address.router = take_segment(rest);
    address.local = rest;
    return address;
  }
  return MobileAddress{std::string(rest)};
}

std::string to_string(const Address& address) { return std::visit(AddressPrinter{}, address); }

std::string mobile_key(std::string_view name) { return fmt::format("M{}", name); }

std::string edge_key(std::string_view router) { return fmt::format("H{}", router); }

std::string router_address(std::string_view router) { return fmt::format("amqp:/_topo/0/{}/qdrouter", router); }

std::string mobile_address(std::string_view router) { return fmt::format("amqp:/_topo/0/{}/qdrouter.ma", router); }

std::string reply_address(std::string_view router, std::string_view discriminator) {
  return fmt::format("amqp:/_topo/0/{}/temp.{}", router, discriminator);
}

std::string make_discriminator(const std::function<std::uint64_t()>& random) {
  constexpr unsigned kBits = 6;
  constexpr unsigned kCharactersPerNumber = 10;
  std::string result;
  std::uint64_t bits = 0;
  while (result.size() < kDiscriminatorLength) {
    if (result.size() % kCharactersPerNumber == 0) bits = random();
    result += kBase64[bits & (kBase64.size() - 1)];
    bits >>= kBits;
  }
  return result;
}

}  // namespace knetsim::skupper::wire
