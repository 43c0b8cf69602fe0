#include "wire.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base64.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"

namespace knetsim::etcd::wire {

using nlohmann::json;

namespace {

// Far from the end, so that the next one can be computed.
constexpr Revision kLastRevision = Revision{1} << 62;
// etcd's server/lease/lessor.go: MaxLeaseTTL.
constexpr std::int64_t kLongestTtl = 9'000'000'000;
constexpr std::size_t kLongestMessage = 500;

// No answer of etcd's is deeper than ten levels. The transport bounds its size.
constexpr JsonRules kRules{.depth = 64, .size = std::numeric_limits<std::size_t>::max()};

[[noreturn]] void malformed(const char* field, const char* expected) {
  throw Malformed(std::string("\"") + field + "\" isn't " + expected);
}

const json* find(const json& object, const char* field) {
  if (!object.is_object()) malformed(field, "in an object");
  const auto it = object.find(field);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

template <typename Int>
Int integer_at(const json& object, const char* field) {
  const json* value = find(object, field);
  if (value == nullptr) return 0;
  if (value->is_number_unsigned()) {
    const auto number = value->get<std::uint64_t>();
    if (!std::in_range<Int>(number)) malformed(field, "an integer");
    return static_cast<Int>(number);
  }
  if (value->is_number_integer()) {
    const auto number = value->get<std::int64_t>();
    if (!std::in_range<Int>(number)) malformed(field, "an integer");
    return static_cast<Int>(number);
  }
  if (!value->is_string()) malformed(field, "an integer");
  const auto& text = value->get_ref<const std::string&>();
  Int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) malformed(field, "an integer");
  return number;
}

/// The key after all keys that start with `prefix`; etcd's clientv3 GetPrefixRangeEnd.
std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty()) {
    if (static_cast<unsigned char>(prefix.back()) < 0xff) {
      ++prefix.back();
      return prefix;
    }
    prefix.pop_back();
  }
  return std::string(1, '\0');
}

json key_or_prefix(const std::string& key, bool prefix) {
  return prefix ? prefix_range(key) : json{{"key", base64_encode(key)}};
}

const char* name_of(Compare::Target target) {
  switch (target) {
    case Compare::Target::version:
      return "VERSION";
    case Compare::Target::create_revision:
      return "CREATE";
    case Compare::Target::mod_revision:
      return "MOD";
    case Compare::Target::lease:
      return "LEASE";
    case Compare::Target::value:
      return "VALUE";
  }
  return "";
}

const char* operand_of(Compare::Target target) {
  switch (target) {
    case Compare::Target::version:
      return "version";
    case Compare::Target::create_revision:
      return "create_revision";
    case Compare::Target::mod_revision:
      return "mod_revision";
    case Compare::Target::lease:
      return "lease";
    case Compare::Target::value:
      return "value";
  }
  return "";
}

const char* name_of(Compare::Relation relation) {
  switch (relation) {
    case Compare::Relation::equal:
      return "EQUAL";
    case Compare::Relation::not_equal:
      return "NOT_EQUAL";
    case Compare::Relation::greater:
      return "GREATER";
    case Compare::Relation::less:
      return "LESS";
  }
  return "";
}

json compare_request(const Compare& compare) {
  json request{
      {"key", base64_encode(compare.key)}, {"target", name_of(compare.target)}, {"result", name_of(compare.relation)}};
  const auto* text = std::get_if<std::string>(&compare.operand);
  if ((text != nullptr) != (compare.target == Compare::Target::value)) {
    throw InputError("etcd transaction: the operand compared with key \"" + compare.key + "\" has the wrong type");
  }
  request[operand_of(compare.target)] =
      text != nullptr ? base64_encode(*text) : std::to_string(std::get<std::int64_t>(compare.operand));
  return request;
}

json operation_request(const Operation& operation) {
  struct Visitor {
    json operator()(const Put& put) const { return json{{"request_put", put_request(put)}}; }
    json operator()(const Get& get) const { return json{{"request_range", range_request(get.key, get.prefix)}}; }
    json operator()(const Remove& remove) const {
      return json{{"request_delete_range", remove_request(remove.key, remove.prefix)}};
    }
  };
  return std::visit(Visitor{}, operation);
}

json operations_request(const std::vector<Operation>& operations) {
  json list = json::array();
  for (const Operation& operation : operations) list.push_back(operation_request(operation));
  return list;
}

}  // namespace

json parse(std::string_view text) {
  json value;
  try {
    value = parse_json(text, kRules);
  } catch (const InputError& error) {
    throw Malformed(std::string("that isn't JSON: ") + error.what());
  }
  if (!value.is_object()) throw Malformed("that isn't a JSON object");
  return value;
}

std::int64_t int64_at(const json& object, const char* field) { return integer_at<std::int64_t>(object, field); }

std::uint64_t uint64_at(const json& object, const char* field) { return integer_at<std::uint64_t>(object, field); }

bool bool_at(const json& object, const char* field) {
  const json* value = find(object, field);
  if (value == nullptr) return false;
  if (!value->is_boolean()) malformed(field, "a boolean");
  return value->get<bool>();
}

std::string string_at(const json& object, const char* field) {
  const json* value = find(object, field);
  return value == nullptr ? std::string() : string(*value, field);
}

std::string bytes_at(const json& object, const char* field) {
  const json* value = find(object, field);
  return value == nullptr ? std::string() : bytes(*value, field);
}

std::string string(const json& value, const char* field) {
  if (!value.is_string()) malformed(field, "a string");
  return value.get<std::string>();
}

std::string bytes(const json& value, const char* field) {
  if (!value.is_string()) malformed(field, "a string");
  auto decoded = base64_decode(value.get_ref<const std::string&>());
  if (!decoded) malformed(field, "base64");
  return *std::move(decoded);
}

const json& array_at(const json& object, const char* field) {
  static const json empty = json::array();
  const json* value = find(object, field);
  if (value == nullptr) return empty;
  if (!value->is_array()) malformed(field, "an array");
  return *value;
}

const json& object_at(const json& object, const char* field) {
  static const json empty = json::object();
  const json* value = find(object, field);
  if (value == nullptr) return empty;
  if (!value->is_object()) malformed(field, "an object");
  return *value;
}

Revision revision_at(const json& object, const char* field) {
  const auto revision = int64_at(object, field);
  if (revision < 0 || revision > kLastRevision) malformed(field, "a revision");
  return revision;
}

Revision header_revision(const json& response) {
  const auto revision = revision_at(object_at(response, "header"), "revision");
  if (revision == 0) malformed("header", "there, with a revision");
  return revision;
}

std::chrono::seconds ttl_at(const json& object) {
  const auto seconds = int64_at(object, "TTL");
  if (seconds < -1 || seconds > kLongestTtl) malformed("TTL", "a time to live");
  return std::chrono::seconds(seconds);
}

Lease granted_lease(const json& response) {
  const Lease lease{int64_at(response, "ID"), ttl_at(response)};
  if (lease.id == 0) malformed("ID", "a lease's");
  if (lease.ttl.count() < 1) malformed("TTL", "a time to live");
  return lease;
}

KeyValue key_value(const json& kv) {
  KeyValue result;
  result.key = bytes_at(kv, "key");
  result.value = bytes_at(kv, "value");
  result.create_revision = revision_at(kv, "create_revision");
  result.mod_revision = revision_at(kv, "mod_revision");
  result.version = int64_at(kv, "version");
  result.lease = int64_at(kv, "lease");
  return result;
}

Event event(const json& event) {
  const std::string type = string_at(event, "type");
  if (!type.empty() && type != "PUT" && type != "DELETE") malformed("type", "PUT or DELETE");
  Event result;
  result.type = type == "DELETE" ? Event::Type::remove : Event::Type::put;
  result.kv = key_value(object_at(event, "kv"));
  return result;
}

std::vector<KeyValue> key_values(const json& response, const std::string& key, bool prefix) {
  std::vector<KeyValue> kvs;
  for (const json& each : array_at(response, "kvs")) {
    kvs.push_back(key_value(each));
    const auto& got = kvs.back().key;
    if (prefix ? !got.starts_with(key) : got != key) malformed("kvs", "what was asked for");
  }
  if (!prefix && kvs.size() > 1) malformed("kvs", "one key");
  return kvs;
}

namespace {

/// The part of an answer that belongs to an operation of its kind.
const json& part_of(const json& response, const char* kind) {
  const json* part = find(response, kind);
  if (part == nullptr || !part->is_object()) malformed(kind, "there, where it was asked for");
  return *part;
}

OperationResult operation_result(const json& response, const Operation& operation) {
  OperationResult result;
  if (const auto* get = std::get_if<Get>(&operation)) {
    result.kvs = key_values(part_of(response, "response_range"), get->key, get->prefix);
  } else if (std::holds_alternative<Remove>(operation)) {
    result.removed = int64_at(part_of(response, "response_delete_range"), "deleted");
  } else {
    part_of(response, "response_put");
  }
  return result;
}

}  // namespace

TxnResult txn_result(const json& response, const Txn& txn) {
  TxnResult result;
  result.succeeded = bool_at(response, "succeeded");
  result.revision = header_revision(response);
  const auto& done = result.succeeded ? txn.then : txn.otherwise;
  const json& responses = array_at(response, "responses");
  if (responses.size() != done.size()) malformed("responses", "one for each operation");
  for (std::size_t i = 0; i < done.size(); ++i) result.results.push_back(operation_result(responses[i], done[i]));
  return result;
}

json prefix_range(const std::string& prefix) {
  return {{"key", base64_encode(prefix.empty() ? std::string(1, '\0') : prefix)},
          {"range_end", base64_encode(end_of_prefix(prefix))}};
}

json range_request(const std::string& key, bool prefix) { return key_or_prefix(key, prefix); }

json put_request(const Put& put) {
  json request{{"key", base64_encode(put.key)}, {"value", base64_encode(put.value)}};
  if (put.lease != 0) request["lease"] = std::to_string(put.lease);
  return request;
}

json remove_request(const std::string& key, bool prefix) { return key_or_prefix(key, prefix); }

json txn_request(const Txn& txn) {
  json compares = json::array();
  for (const Compare& compare : txn.compares) compares.push_back(compare_request(compare));
  return {{"compare", std::move(compares)},
          {"success", operations_request(txn.then)},
          {"failure", operations_request(txn.otherwise)}};
}

json grant_request(std::chrono::seconds ttl) { return json{{"TTL", std::to_string(ttl.count())}}; }

json lease_request(LeaseId id) { return json{{"ID", std::to_string(id)}}; }

json time_to_live_request(LeaseId id) { return json{{"ID", std::to_string(id)}, {"keys", true}}; }

json compact_request(Revision revision) { return json{{"revision", std::to_string(revision)}, {"physical", true}}; }

std::string message_at(const json& object, const char* field) {
  auto text = string_at(object, field);
  if (text.size() > kLongestMessage) text = text.substr(0, kLongestMessage) + "…";
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return text;
}

std::optional<Refusal> refusal(const json& answer) {
  const json* error = find(answer, "error");
  if (error == nullptr) return std::nullopt;
  Refusal result;
  if (error->is_object()) {
    result.code = static_cast<int>(int64_at(*error, "grpc_code"));
    result.message = message_at(*error, "message");
  } else {
    result.code = static_cast<int>(int64_at(answer, "code"));
    result.message = message_at(answer, "error");
  }
  return result;
}

}  // namespace knetsim::etcd::wire
