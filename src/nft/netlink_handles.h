#pragma once

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>

#include <memory>
#include <new>

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

}  // namespace knetsim::nft
