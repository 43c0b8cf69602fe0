#include "wire.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "knetsim/sys/base64.h"

namespace knetsim::etcd::wire {

using nlohmann::json;

namespace {

// Far from the end, so that the next one can be computed.
constexpr Revision kLastRevision = Revision{1} << 62;
// etcd's server/lease/lessor.go: MaxLeaseTTL.
constexpr std::int64_t kLongestTtl = 9'000'000'000;
constexpr std::size_t kLongestMessage = 500;

// No answer of etcd's is deeper than ten levels. The transport bounds its size.
constexpr JsonRules kRules{
    .depth = 64, .size = std::numeric_limits<std::size_t>::max(), .null_is_absent = true, .remedies = false};

template <std::integral Int>
Int integer(const JsonPlace& at) {
  if (!at.value().is_string()) return at.integer<Int>();
  const auto& text = at.value().get_ref<const std::string&>();
  Int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) at.refuse("isn't an integer");
  return number;
}

/// What `read` makes of the field; zero if it is absent.
template <typename Read>
auto field_of(const JsonPlace& object, std::string_view field, Read read) {
  const auto at = object.find(field);
  return at ? std::invoke(read, *at) : decltype(std::invoke(read, *at)){};
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

// In the order of Compare::Target and Compare::Relation.
struct TargetWords {
  const char* name;
  const char* operand;
};
constexpr TargetWords kTargets[]{{"VERSION", "version"},
                                 {"CREATE", "create_revision"},
                                 {"MOD", "mod_revision"},
                                 {"LEASE", "lease"},
                                 {"VALUE", "value"}};
constexpr const char* kRelations[]{"EQUAL", "NOT_EQUAL", "GREATER", "LESS"};

json compare_request(const Compare& compare) {
  const auto& [target, operand] = kTargets[static_cast<std::size_t>(compare.target)];
  json request{{"key", base64_encode(compare.key)},
               {"target", target},
               {"result", kRelations[static_cast<std::size_t>(compare.relation)]}};
  const auto* text = std::get_if<std::string>(&compare.operand);
  if ((text != nullptr) != (compare.target == Compare::Target::value))
    throw InputError("etcd transaction: the operand compared with key \"" + compare.key + "\" has the wrong type");
  request[operand] = text != nullptr ? base64_encode(*text) : std::to_string(std::get<std::int64_t>(compare.operand));
  return request;
}

json operation_request(const Operation& operation) {
  struct Visitor {
    json operator()(const Put& put) const { return json{{"request_put", put_request(put)}}; }
    json operator()(const Get& get) const { return json{{"request_range", key_request(get.key, get.prefix)}}; }
    json operator()(const Remove& remove) const {
      return json{{"request_delete_range", key_request(remove.key, remove.prefix)}};
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

JsonDocument parse(std::string_view text) {
  JsonDocument document{.value = parse_json(text, kRules), .source = {}, .rules = kRules};
  if (!document.value.is_object()) throw InputError("that isn't a JSON object");
  return document;
}

std::int64_t int64_at(const JsonPlace& object, std::string_view field) {
  return field_of(object, field, integer<std::int64_t>);
}

std::uint64_t uint64_at(const JsonPlace& object, std::string_view field) {
  return field_of(object, field, integer<std::uint64_t>);
}

bool bool_at(const JsonPlace& object, std::string_view field) { return field_of(object, field, &JsonPlace::boolean); }

std::string string_at(const JsonPlace& object, std::string_view field) {
  return field_of(object, field, &JsonPlace::string);
}

std::string bytes_at(const JsonPlace& object, std::string_view field) { return field_of(object, field, bytes); }

std::string bytes(const JsonPlace& at) {
  if (!at.value().is_string()) at.refuse_type("a string");
  auto decoded = base64_decode(at.value().get_ref<const std::string&>());
  if (!decoded) at.refuse("isn't base64");
  return *std::move(decoded);
}

Revision revision_at(const JsonPlace& object, std::string_view field) {
  const auto revision = int64_at(object, field);
  if (revision < 0 || revision > kLastRevision) object[field].refuse("isn't a revision");
  return revision;
}

Revision header_revision(const JsonPlace& response) {
  const auto revision = revision_at(response["header"], "revision");
  if (revision == 0) response["header"].refuse_member("revision", "isn't there");
  return revision;
}

std::chrono::seconds ttl_at(const JsonPlace& object) {
  const auto seconds = int64_at(object, "TTL");
  if (seconds < -1 || seconds > kLongestTtl) object["TTL"].refuse("isn't a time to live");
  return std::chrono::seconds(seconds);
}

Lease granted_lease(const JsonPlace& response) {
  const Lease lease{int64_at(response, "ID"), ttl_at(response)};
  if (lease.id == 0) response.refuse_member("ID", "isn't a lease's");
  if (lease.ttl.count() < 1) response.refuse_member("TTL", "isn't a time to live");
  return lease;
}

KeyValue key_value(const JsonPlace& kv) {
  KeyValue result;
  result.key = bytes_at(kv, "key");
  result.value = bytes_at(kv, "value");
  result.create_revision = revision_at(kv, "create_revision");
  result.mod_revision = revision_at(kv, "mod_revision");
  result.version = int64_at(kv, "version");
  result.lease = int64_at(kv, "lease");
  return result;
}

Event event(const JsonPlace& event) {
  Event result;
  result.type = Event::Type::put;
  event.take("type", result.type, [](const JsonPlace& type) {
    return type.choice({"PUT", "DELETE"}) == "DELETE" ? Event::Type::remove : Event::Type::put;
  });
  event.take("kv", result.kv, key_value);
  return result;
}

std::vector<KeyValue> key_values(const JsonPlace& response, const std::string& key, bool prefix) {
  std::vector<KeyValue> kvs;
  for (const auto& each : response.elements("kvs")) {
    kvs.push_back(key_value(each));
    const auto& got = kvs.back().key;
    if (prefix ? !got.starts_with(key) : got != key) each.refuse("isn't what was asked for");
  }
  if (!prefix && kvs.size() > 1) response["kvs"].refuse("isn't one key");
  return kvs;
}

namespace {

OperationResult operation_result(const JsonPlace& response, const Operation& operation) {
  OperationResult result;
  if (const auto* get = std::get_if<Get>(&operation))
    result.kvs = key_values(response["response_range"], get->key, get->prefix);
  else if (std::holds_alternative<Remove>(operation))
    result.removed = int64_at(response["response_delete_range"], "deleted");
  else
    response["response_put"].members();  // its kind is all that counts
  return result;
}

}  // namespace

TxnResult txn_result(const JsonPlace& response, const Txn& txn) {
  TxnResult result;
  result.succeeded = bool_at(response, "succeeded");
  result.revision = header_revision(response);
  const auto& done = result.succeeded ? txn.then : txn.otherwise;
  const auto responses = response.elements("responses");
  if (responses.size() != done.size()) response.refuse_member("responses", "isn't one for each operation");
  for (std::size_t i = 0; i < done.size(); ++i) result.results.push_back(operation_result(responses[i], done[i]));
  return result;
}

json prefix_range(const std::string& prefix) {
  return {{"key", base64_encode(prefix.empty() ? std::string(1, '\0') : prefix)},
          {"range_end", base64_encode(end_of_prefix(prefix))}};
}

json key_request(const std::string& key, bool prefix) {
  return prefix ? prefix_range(key) : json{{"key", base64_encode(key)}};
}

json page_request(const std::string& prefix, const PageRequest& page) {
  json request = prefix_range(prefix);
  if (!page.after.empty()) request["key"] = base64_encode(page.after + '\0');
  if (page.limit != 0) request["limit"] = std::to_string(page.limit);
  if (page.revision != 0) request["revision"] = std::to_string(page.revision);
  return request;
}

json put_request(const Put& put) {
  json request{{"key", base64_encode(put.key)}, {"value", base64_encode(put.value)}};
  if (put.lease != 0) request["lease"] = std::to_string(put.lease);
  return request;
}

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

std::string message_at(const JsonPlace& object, std::string_view field) {
  auto text = string_at(object, field);
  if (text.size() > kLongestMessage) text = text.substr(0, kLongestMessage) + "…";
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return text;
}

std::optional<Refusal> refusal(const JsonPlace& answer) {
  const auto error = answer.find("error");
  if (!error) return std::nullopt;
  const bool streamed = error->value().is_object();
  return Refusal{static_cast<int>(streamed ? int64_at(*error, "grpc_code") : int64_at(answer, "code")),
                 streamed ? message_at(*error, "message") : message_at(answer, "error")};
}

}  // namespace knetsim::etcd::wire
