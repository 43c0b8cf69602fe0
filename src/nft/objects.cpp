#include "knetsim/nft/objects.h"

#include <fmt/format.h>

#include "knetsim/sys/error.h"
#include "userdata.h"

namespace knetsim::nft {

TypeSpec::TypeSpec(std::initializer_list<Type> types) : types_(types) {
  if (types_.empty() || types_.size() > Data::Parts::static_capacity ||
      size_of(types_) > Data::Bytes::static_capacity) {
    throw InputError(fmt::format("nft: a set's key or value has 1 to {} parts of {} bytes, not \"{}\"",
                                 std::size_t{Data::Parts::static_capacity}, std::size_t{Data::Bytes::static_capacity},
                                 to_string(types_)));
  }
}

TypeSpec TypeSpec::of(std::vector<Value> expressions) {
  TypeSpec spec;
  spec.types_ = concat(expressions).types();
  spec.expressions_ = std::move(expressions);
  for (const Value& expression : spec.expressions_) require_typeof(expression);
  return spec;
}

}  // namespace knetsim::nft
