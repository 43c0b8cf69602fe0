#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/nft/objects.h"

namespace knetsim::nft {

/// The bytes that `nft` itself attaches to objects, and without which it couldn't list them as they were typed:
/// attributes of type (1 byte), length (1 byte), value. See libnftnl/udata.h; nftables src/mnl.c and its
/// build_udata functions.
using Userdata = std::vector<std::uint8_t>;

/// Type and byte order, or the expressions, of keys and values; the comment.
Userdata set_userdata(const Set& set);
/// For a set written in a rule.
Userdata anonymous_set_userdata(const Types& key, const Types& value, bool map);
/// The comment is attribute 0 of tables, chains, rules and elements alike. Throws InputError if it is too long.
Userdata comment_userdata(std::string_view comment);

/// The comment in an object's userdata, or "".
std::string comment_of(std::span<const std::uint8_t> userdata);

/// Throws InputError if the expression can't be a set's `typeof`.
void require_typeof(const Value& expression);

}  // namespace knetsim::nft
