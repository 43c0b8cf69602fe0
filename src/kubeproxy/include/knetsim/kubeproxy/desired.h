#pragma once

#include <boost/container/static_vector.hpp>
#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/nft/objects.h"

namespace knetsim::kubeproxy {

/// A key or a value as the kernel has it: an nft::Data without its types. The longest is a key of the IPv6 firewall:
/// two addresses, a protocol, a port.
using Bytes = boost::container::static_vector<std::uint8_t, 40>;

Bytes bytes_of(const nft::Data& data);

/// One thing that a table shall hold beside its fixed parts: an element of a set or map, or a chain of its own with the
/// element that leads to it. What is the same for all families, all sizes and all writers: a slot, a key, a value.
struct Entry {
  std::uint8_t slot = 0;  ///< in Layout::slots
  Bytes key;
  Bytes value;  ///< empty for sets; an interval set's last key
  /// Whose it is: "shop/web:http". Shown in a listing; another comment alone is no change.
  std::string comment = {};

  bool is_same(const Entry& other) const { return slot == other.slot && key == other.key && value == other.value; }
};

/// By slot and key.
std::strong_ordering order_of(const Entry& a, const Entry& b);

/// What one owner (a service, a virtual address) wants, sorted, each key once; or what a whole table holds.
using Desired = std::vector<Entry>;

/// Sorts; of entries with one key, the first stays.
Desired sorted(Desired entries);

/// Merges two sorted lists: `gone` is called with what only `before` has, `come` with what only `now` has, `both` with
/// what both have, be it with different values.
void compare(std::span<const Entry> before, std::span<const Entry> now, const std::function<void(const Entry&)>& gone,
             const std::function<void(const Entry&)>& come,
             const std::function<void(const Entry& before, const Entry& now)>& both);

/// Where entries of one kind lie: a set or map, or (with `chain`) a verdict map of which each element leads to a chain
/// of its own.
struct Slot {
  nft::Set set;
  /// The chain that an entry's element goes to, and its rules; empty functions: the elements have values, or none.
  std::function<std::string(const Entry&)> chain = {};
  std::function<std::vector<nft::Rule>(const Entry&)> rules = {};

  bool has_chains() const noexcept { return static_cast<bool>(chain); }
  nft::Element element(const Entry& entry) const;
};

/// A table: what is always there, and where its entries go.
struct Layout {
  nft::Table table;
  std::vector<Slot> slots;
  std::vector<nft::Set> sets = {};  ///< that rules write to
  std::vector<nft::Chain> chains;
  /// Of `chains`, in their order. Each has a comment, by which it is known again.
  std::vector<nft::Rule> rules;
};

}  // namespace knetsim::kubeproxy
