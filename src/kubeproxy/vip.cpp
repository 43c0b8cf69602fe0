#include "knetsim/kubeproxy/vip.h"

#include <fmt/format.h>

#include <algorithm>

namespace knetsim::kubeproxy {

namespace {

constexpr std::size_t kNameMaximum = 100;

[[noreturn]] void refuse(const Vip& service, const std::string& what, const std::string& remedy) {
  throw InputError(describe({.where = "VIP " + service.address.to_string(), .answer = what, .remedy = remedy}));
}

bool can_receive(const Address& address) { return !address.is_unspecified() && !address.is_multicast(); }

void validate(const Vip& service) {
  if (!can_receive(service.address) || service.address.is_loopback()) {
    refuse(service, "no address that traffic could be sent to",
           "choose an unused unicast address, such as 100.64.10.1");
  }
  if (service.endpoints.empty()) refuse(service, "has no endpoint", "name at least one container, or remove the VIP");
  for (const VipEndpoint& endpoint : service.endpoints) {
    const auto text = [&] { return endpoint.address.to_string(); };
    if (endpoint.address.is_v4() != service.address.is_v4()) {
      refuse(service, fmt::format("endpoint {} is of the other address family", text()),
             "IPv4 endpoints behind an IPv4 VIP, IPv6 endpoints behind an IPv6 VIP: make one of each for dual stack");
    }
    if (endpoint.address == service.address)
      refuse(service, "is its own endpoint", "endpoints are the addresses of containers");
    if (!can_receive(endpoint.address))
      refuse(service, fmt::format("endpoint {} can't receive", text()), "endpoints are the addresses of containers");
  }
  for (const char character : service.name) {
    if (character == '"' || static_cast<unsigned char>(character) < ' ' || character == '\x7f') {
      refuse(service, fmt::format("name \"{}\" has a quote or control character in it", service.name),
             "use letters, digits and punctuation other than quotes");
    }
  }
  if (service.name.size() > kNameMaximum) {
    refuse(service, fmt::format("name \"{}\" has {} bytes", service.name, service.name.size()),
           fmt::format("at most {} fit into a rule's comment", kNameMaximum));
  }
}

}  // namespace

void validate(const std::vector<Vip>& services) {
  // Each change of one of thousands comes with all of them.
  std::vector<const Vip*> by_address;
  by_address.reserve(services.size());
  for (const Vip& service : services) {
    validate(service);
    by_address.push_back(&service);
  }
  const auto address = [](const Vip* service) -> const Address& { return service->address; };
  std::ranges::sort(by_address, {}, address);
  if (const auto twice = std::ranges::adjacent_find(by_address, {}, address); twice != by_address.end())
    refuse(**twice, "is there twice", "one service for each address: merge their endpoints, or choose another VIP");
}

}  // namespace knetsim::kubeproxy
