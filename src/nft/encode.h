#pragma once

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "knetsim/nft/types.h"

namespace knetsim::nft {

/// Owns an object of libnftnl.
template <auto Alloc, auto Free>
struct Handle {
  struct Deleter {
    template <typename T>
    void operator()(T* object) const noexcept {
      Free(object);
    }
  };
  using Object = std::remove_pointer_t<decltype(Alloc())>;
  using Pointer = std::unique_ptr<Object, Deleter>;

  static Pointer make() {
    Pointer pointer(Alloc());
    if (!pointer) throw std::bad_alloc();
    return pointer;
  }
};

using TableHandle = Handle<nftnl_table_alloc, nftnl_table_free>;
using ChainHandle = Handle<nftnl_chain_alloc, nftnl_chain_free>;
using RuleHandle = Handle<nftnl_rule_alloc, nftnl_rule_free>;
using SetHandle = Handle<nftnl_set_alloc, nftnl_set_free>;
using ElementHandle = Handle<nftnl_set_elem_alloc, nftnl_set_elem_free>;

// libnftnl's objects with nothing but their names. Names that can't be one throw InputError.
TableHandle::Pointer encode_table(const TableId& id);
ChainHandle::Pointer encode_chain(const ChainId& id);
RuleHandle::Pointer encode_rule(const ChainId& chain, std::uint64_t handle = 0);
SetHandle::Pointer encode_set(const SetId& id);

/// `what` is "chain", "log prefix"...
void require_name(std::string_view what, std::string_view name);

// Objects in words, for errors: "chain ip kube-proxy prerouting".
std::string describe(const TableId& table);
std::string describe(const ChainId& chain);
std::string describe(const SetId& set);

}  // namespace knetsim::nft
