#pragma once

#include <linux/netfilter/nf_tables.h>

#include <cstdint>
#include <vector>

#include "knetsim/nft/data.h"
#include "knetsim/nft/types.h"

namespace knetsim::nft {

/// The kernel's registers are 16 words of 4 bytes; a slot is the index of one.
inline constexpr std::uint32_t kRegisterWords = 16;

inline std::uint32_t register_of(std::uint32_t slot) { return NFT_REG32_00 + slot; }

inline std::uint32_t words(const Types& types) { return static_cast<std::uint32_t>((size_of(types) + 3) / 4); }

inline std::vector<std::uint8_t> host_bytes(std::uint32_t number) {
  const Data data = Data::integer(number);
  return {data.bytes().begin(), data.bytes().end()};
}

}  // namespace knetsim::nft
