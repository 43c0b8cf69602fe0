#include "userdata.h"

#include <fmt/format.h>
#include <libnftnl/udata.h>

#include <cstring>
#include <optional>

#include "knetsim/sys/error.h"
#include "nodes.h"

namespace knetsim::nft {

namespace {

// nftables' enum byteorder and enum expr_types (include/datatype.h, include/expression.h).
enum class ByteOrder : std::uint32_t { invalid = 0, host = 1, big = 2 };
constexpr std::uint32_t kPayloadExpression = 7;
constexpr std::uint32_t kMetaExpression = 9;
constexpr std::uint32_t kCtExpression = 12;
constexpr std::uint32_t kConcatExpression = 13;
constexpr std::uint32_t kNumgenExpression = 23;

constexpr std::size_t kUserdataMaximum = 256;  // NFT_USERDATA_MAXLEN
constexpr std::uint8_t kCommentAttribute = 0;

void put(Userdata& out, std::uint8_t type, std::span<const std::uint8_t> value) {
  if (value.size() > 255) throw InputError("nft: a set's typeof expressions are too long to be stored with it");
  out.push_back(type);
  out.push_back(static_cast<std::uint8_t>(value.size()));
  out.insert(out.end(), value.begin(), value.end());
}

void put(Userdata& out, std::uint8_t type, std::uint32_t number) {
  std::uint8_t bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  put(out, type, bytes);
}

void put(Userdata& out, std::uint8_t type, std::string_view text) {
  if (text.size() >= NFTNL_UDATA_COMMENT_MAXLEN) {
    throw InputError(fmt::format("nft: comment \"{}\" has {} bytes: at most {} fit", text, text.size(),
                                 NFTNL_UDATA_COMMENT_MAXLEN - 1));
  }
  Userdata bytes(text.begin(), text.end());
  bytes.push_back(0);
  put(out, type, bytes);
}

struct TypeofData {
  std::uint32_t expression;
  Userdata data;
};

std::optional<TypeofData> typeof_data(const Value& value) {
  TypeofData result{};
  const auto& kind = value.node().kind;
  if (const auto* field = std::get_if<PayloadField>(&kind)) {
    result.expression = kPayloadExpression;
    put(result.data, 0, field->header);
    put(result.data, 1, field->field);
  } else if (const auto* meta_key = std::get_if<MetaKey>(&kind)) {
    result.expression = kMetaExpression;
    put(result.data, 0, meta_key->key);
  } else if (const auto* ct_key = std::get_if<CtKey>(&kind)) {
    result.expression = kCtExpression;
    put(result.data, 0, ct_key->key);
    // nft's own mark for "no direction" is -1.
    put(result.data, 1, ct_key->direction ? *ct_key->direction : ~0U);
  } else if (const auto* turn = std::get_if<Turn>(&kind)) {
    result.expression = kNumgenExpression;
    put(result.data, 0, turn->type);
    put(result.data, 1, turn->modulus);
    put(result.data, 2, turn->offset);
  } else {
    return std::nullopt;
  }
  return result;
}

Userdata typeof_userdata(const TypeofData& data) {
  Userdata out;
  put(out, NFTNL_UDATA_SET_TYPEOF_EXPR, data.expression);
  put(out, NFTNL_UDATA_SET_TYPEOF_DATA, data.data);
  return out;
}

Userdata typeof_userdata(const std::vector<Value>& expressions) {
  if (expressions.size() == 1) return typeof_userdata(*typeof_data(expressions.front()));
  TypeofData all{kConcatExpression, {}};
  std::uint8_t index = 0;
  for (const Value& expression : expressions) put(all.data, index++, typeof_userdata(*typeof_data(expression)));
  return typeof_userdata(all);
}

std::uint32_t byte_order(const Types& types) {
  if (types.size() != 1) return static_cast<std::uint32_t>(ByteOrder::invalid);
  return static_cast<std::uint32_t>(in_host_order(types.front()) ? ByteOrder::host : ByteOrder::big);
}

Userdata bounded(Userdata userdata) {
  if (userdata.size() > kUserdataMaximum)
    throw InputError("nft: a set's comment and typeof expressions are too long together to be stored with it");
  return userdata;
}

}  // namespace

Userdata set_userdata(const Set& set) {
  const bool map = set.value || set.verdicts;
  Userdata out = anonymous_set_userdata(set.key.types(), set.value ? set.value->types() : Types{}, map);
  // A type that nft has no name for, or values that have their expressions: it then lists both as typeof.
  if (!set.key.expressions().empty()) put(out, NFTNL_UDATA_SET_KEY_TYPEOF, typeof_userdata(set.key.expressions()));
  if (set.value && !set.value->expressions().empty())
    put(out, NFTNL_UDATA_SET_DATA_TYPEOF, typeof_userdata(set.value->expressions()));
  if (!set.comment.empty()) put(out, NFTNL_UDATA_SET_COMMENT, set.comment);
  return bounded(std::move(out));
}

Userdata anonymous_set_userdata(const Types& key, const Types& value, bool map) {
  Userdata out;
  put(out, NFTNL_UDATA_SET_KEYBYTEORDER, byte_order(key));
  if (map) put(out, NFTNL_UDATA_SET_DATABYTEORDER, byte_order(value));
  return out;
}

Userdata comment_userdata(std::string_view comment) {
  Userdata out;
  if (!comment.empty()) put(out, kCommentAttribute, comment);
  return out;
}

std::string comment_of(std::span<const std::uint8_t> userdata) {
  while (userdata.size() >= 2) {
    const std::size_t length = userdata[1];
    if (userdata.size() < 2 + length) break;
    if (userdata[0] == kCommentAttribute) {
      const auto* text = reinterpret_cast<const char*>(userdata.data() + 2);
      return {text, strnlen(text, length)};
    }
    userdata = userdata.subspan(2 + length);
  }
  return {};
}

void require_typeof(const Value& expression) {
  if (!typeof_data(expression)) throw InputError("nft: only header fields, meta, ct and numgen can be a typeof");
}

}  // namespace knetsim::nft
