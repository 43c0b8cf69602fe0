#include "knetsim/etcd/types.h"

#include <utility>

namespace knetsim::etcd {

Compare absent(std::string key) {
  return {std::move(key), Compare::Target::version, Compare::Relation::equal, std::int64_t{0}};
}

Compare present(std::string key) {
  return {std::move(key), Compare::Target::version, Compare::Relation::greater, std::int64_t{0}};
}

Compare value_is(std::string key, std::string value) {
  return {std::move(key), Compare::Target::value, Compare::Relation::equal, std::move(value)};
}

Compare mod_revision_is(std::string key, Revision revision) {
  return {std::move(key), Compare::Target::mod_revision, Compare::Relation::equal, revision};
}

}  // namespace knetsim::etcd
