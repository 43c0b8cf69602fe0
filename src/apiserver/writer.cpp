#include "writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "body.h"
#include "knetsim/kube/managed_fields.h"
#include "knetsim/kube/status.h"
#include "now.h"
#include "reader.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
using nlohmann::json;

namespace {

constexpr int kMostNames = 8;    // that are generated before a taken one is an error, as upstream
constexpr int kMostApplied = 5;  // times, to what comes and goes

bool is(const kube::Kind& kind, std::string_view name) { return kind.group.empty() && kind.kind == name; }

/// Query word dryRun. Throws ApiError 422 for anything but All.
bool dry_run(const Query& query) {
  const auto& word = query["dryRun"];
  if (word.empty()) return false;
  if (word == "All") return true;
  throw kube::bad_request(fmt::format("dryRun: Unsupported value: \"{}\": supported values: \"All\"", word));
}

Response with_warnings(Response response, const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) response.headers.emplace_back("Warning", kube::warning_header(warning));
  return response;
}

const std::string& text_at(const json& object, const char* field) {
  static const std::string kNone;
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return kNone;
  const auto found = metadata->find(field);
  return found != metadata->end() && found->is_string() ? found->get_ref<const std::string&>() : kNone;
}

/// What was written is text already.
Response shown(const kube::Kind& kind, const Written& written, const View& view, unsigned status = 200) {
  if (!written.version || view.form.kind != Form::Kind::object) return shown(kind, written.object, view, status);
  return {.status = status, .body = text_of(kind, *written.version) + '\n'};
}

kube::Author author_of(const Target& target, const Request& request) {
  return {.manager = kube::manager_name(request.query["fieldManager"], request.user_agent),
          .subresource = target.subresource,
          .now = now()};
}

/// To what was posted to a subresource.
Response done() {
  return {.status = 201,
          .body = R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201})"
                  "\n"};
}

void check_names(const Target& target, const json& object) {
  const auto& name = text_at(object, "name");
  if (!name.empty() && name != target.name)
    throw kube::bad_request(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", name, target.name));
  const auto& ns = text_at(object, "namespace");
  if (!ns.empty() && ns != target.ns)
    throw kube::bad_request("the namespace of the provided object does not match the namespace sent on the request");
}

}  // namespace

std::string Writer::new_uid() {
  const std::uint64_t high = random_();
  const std::uint64_t low = random_();
  // RFC 4122, version 4, variant 10.
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xfff,
                     8 + (low >> 62), (low >> 48) & 0xfff, low & 0xffffffffffff);
}

void Writer::require_namespace(const Target& target, const std::string& name) const {
  const auto& namespaces = kube::must_be("namespaces");
  const auto version = cache_->find(namespaces, target.ns);
  if (!version) throw kube::not_found(namespaces, target.ns);
  const auto ns = object_of(namespaces, *version);
  if (!text_at(ns, "deletionTimestamp").empty()) throw kube::namespace_terminating(*target.kind, name, target.ns);
}

asio::awaitable<Written> Writer::create(const kube::Kind& kind, const std::string& ns, json sent, bool dry,
                                        std::optional<kube::Author> author) {
  for (int attempt = 1;; ++attempt) {
    Allocations::Reservation reservation(*allocations_);
    const auto give = [&](json& object) {
      if (is(kind, "Service")) reservation.allocate(cache_key(ns, text_at(object, "name")), object, nullptr);
    };
    const kube::Birth birth{
        .ns = ns, .name = {}, .uid = new_uid(), .suffix = kube::name_suffix(random_()), .now = now(), .author = author};
    auto object = kube::prepare_create(kind, sent, birth, give);
    const std::string name = text_at(object, "name");
    if (dry) {
      if (cache_->find(kind, cache_key(ns, name))) throw kube::already_exists(kind, name);
      co_return Written{.object = std::move(object), .version = nullptr};
    }
    const bool generated = text_at(sent, "name").empty();
    try {
      co_return co_await store_->create(kind, ns, name, std::move(object));
    } catch (const kube::ApiError& error) {
      if (!generated || error.reason() != "AlreadyExists" || attempt == kMostNames) throw;
    }
  }
}

asio::awaitable<Response> Writer::create(const Target& target, const Request& request) {
  const auto& kind = *target.kind;
  const auto view = view_of(request);
  auto sent = read_body(kind, request, kube::field_validation(request.query["fieldValidation"]));
  const bool dry = dry_run(request.query);
  kube::check_manager(request.query["fieldManager"], "CreateOptions");
  if (kind.namespaced) require_namespace(target, text_at(sent.object, "name"));
  const auto made = co_await create(kind, target.ns, std::move(sent.object), dry, author_of(target, request));
  co_return with_warnings(shown(kind, made, view, 201), sent.warnings);
}

asio::awaitable<std::optional<json>> Writer::create_if_absent(const kube::Kind& kind, std::string ns, json object) {
  if (cache_->find(kind, cache_key(ns, text_at(object, "name")))) co_return std::nullopt;
  auto read = kube::read_object(kind, object, kube::FieldValidation::strict);
  try {
    const kube::Author author{.manager = "knetsim-apiserver", .subresource = {}, .now = now()};
    auto written = co_await create(kind, ns, std::move(read.object), false, author);
    co_return std::move(written.object);
  } catch (const kube::ApiError& error) {
    if (error.reason() != "AlreadyExists") throw;
  }
  co_return std::nullopt;
}

json Writer::prepared(const Target& target, const json& old, json sent,
                      const std::optional<kube::Author>& author) const {
  const auto& kind = *target.kind;
  if (target.subresource == "status") return kube::prepare_status_update(kind, old, std::move(sent), author);
  if (target.subresource == "ephemeralcontainers")
    return kube::prepare_ephemeral_containers(kind, old, std::move(sent), author);
  if (target.subresource == "finalize") return kube::prepare_finalize(kind, old, std::move(sent));
  return kube::prepare_update(kind, old, std::move(sent), author);
}

asio::awaitable<Response> Writer::change(const Target& target, const Request& request, kube::FieldValidation validation,
                                         std::function<json(const json& old)> sent,
                                         std::optional<kube::Author> author) {
  const auto& kind = *target.kind;
  const auto view = view_of(request);
  const bool scale = target.subresource == "scale";
  std::vector<std::string> warnings;
  Allocations::Reservation reservation(*allocations_);
  auto decide = [&](const json& old) -> Decision {
    json object;
    if (scale) {
      object = kube::with_scale(kind, old, sent(kube::scale_of(kind, old)), author);
    } else {
      auto read = kube::read_object(kind, sent(old), validation);
      warnings = std::move(read.warnings);
      object = prepared(target, old, std::move(read.object), author);
    }
    if (is(kind, "Service") && target.subresource.empty())
      reservation.allocate(cache_key(target.ns, target.name), object, &old);
    if (object == old) return {Decision::Deed::keep, std::move(object)};
    if (kube::is_gone(kind, object)) return {Decision::Deed::remove, std::move(object)};
    return {Decision::Deed::write, std::move(object)};
  };
  const auto written = co_await store_->change(kind, target.ns, target.name, decide, dry_run(request.query));
  if (scale) co_return Response{.body = kube::scale_of(kind, written.object).dump() + '\n'};
  co_return with_warnings(shown(kind, written, view), warnings);
}

asio::awaitable<Response> Writer::update(const Target& target, const Request& request) {
  const auto validation = kube::field_validation(request.query["fieldValidation"]);
  kube::check_manager(request.query["fieldManager"], "UpdateOptions");
  const auto author = author_of(target, request);
  if (target.subresource == "scale") {
    auto scale = read_json(request, "Scale");
    co_return co_await change(
        target, request, validation, [&scale](const json&) { return scale; }, author);
  }
  const auto body = read_body(*target.kind, request, validation);
  check_names(target, body.object);
  auto sent = body.object;
  sent["metadata"]["name"] = target.name;
  if (!target.ns.empty()) sent["metadata"]["namespace"] = target.ns;
  auto response = co_await change(
      target, request, kube::FieldValidation::ignore, [&sent](const json&) { return sent; }, author);
  co_return with_warnings(std::move(response), body.warnings);
}

asio::awaitable<Response> Writer::patch(const Target& target, const Request& request) {
  const bool applies = is_apply(request);
  const auto type = applies ? kube::PatchType::merge : patch_type(request);
  kube::check_patch_options(request.query["fieldManager"], request.query.has("force"), applies);
  if (applies && target.subresource == "scale") co_return co_await apply_scale(target, request);
  if (applies) co_return co_await apply(target, request);
  const auto body = read_json(request, "patch");
  const auto validation = kube::field_validation(request.query["fieldValidation"]);
  co_return co_await change(
      target, request, validation, [&](const json& old) { return kube::patched(*target.kind, type, old, body); },
      author_of(target, request));
}

asio::awaitable<Response> Writer::apply(const Target& target, const Request& request) {
  const auto& kind = *target.kind;
  const auto config = read_json(request, kind.kind);
  check_names(target, config);
  const auto author = author_of(target, request);
  const bool force = request.query.flag("force");
  const auto applied = [&](const json& old) { return kube::server_side_apply(kind, old, config, author, force); };
  for (int attempt = 1;; ++attempt) {
    const bool can_be_made = target.subresource.empty() && attempt < kMostApplied;
    const bool there = static_cast<bool>(cache_->find(kind, cache_key(target.ns, target.name)));
    try {
      if (there || !can_be_made)
        co_return co_await change(target, request, kube::FieldValidation::ignore, applied, std::nullopt);
      co_return co_await apply_new(target, request, config, author);
    } catch (const kube::ApiError& error) {
      // Meanwhile somebody else has taken it away, or made it.
      if (!can_be_made || error.reason() != (there ? "NotFound" : "AlreadyExists")) throw;
    }
  }
}

asio::awaitable<Response> Writer::apply_new(const Target& target, const Request& request, const json& config,
                                            const kube::Author& author) {
  const auto& kind = *target.kind;
  const auto view = view_of(request);
  if (kind.namespaced) require_namespace(target, target.name);
  auto made = kube::server_side_apply(kind, nullptr, config, author, false);
  made["metadata"]["name"] = target.name;
  auto read = kube::read_object(kind, made, kube::FieldValidation::ignore);
  const auto written = co_await create(kind, target.ns, std::move(read.object), dry_run(request.query), std::nullopt);
  co_return shown(kind, written, view, 201);
}

asio::awaitable<Response> Writer::apply_scale(const Target& target, const Request& request) {
  const auto& kind = *target.kind;
  const auto config = read_json(request, "Scale");
  check_names(target, config);
  const auto author = author_of(target, request);
  const bool force = request.query.flag("force");
  const auto decide = [&](const json& old) -> Decision {
    auto object = kube::with_applied_scale(kind, old, config, author, force);
    return {object == old ? Decision::Deed::keep : Decision::Deed::write, std::move(object)};
  };
  const auto written = co_await store_->change(kind, target.ns, target.name, decide, dry_run(request.query));
  co_return Response{.body = kube::scale_of(kind, written.object).dump() + '\n'};
}

asio::awaitable<Response> Writer::bind(const Target& target, const Request& request) {
  const auto node = bound_node(request);
  auto decide = [&](const json& old) -> Decision {
    return {Decision::Deed::write, kube::bound_pod(*target.kind, old, node, now())};
  };
  co_await store_->change(*target.kind, target.ns, target.name, decide, dry_run(request.query));
  co_return done();
}

Response Writer::scale(const Target& target) const {
  const auto object = store_->get(*target.kind, target.ns, target.name);
  return {.body = kube::scale_of(*target.kind, object).dump() + '\n'};
}

Writer::Removal Writer::removal_of(const Request& request) const {
  Removal removal;
  removal.dry = dry_run(request.query);
  removal.options.grace_seconds = request.query.number("gracePeriodSeconds");
  removal.options.propagation = request.query["propagationPolicy"];
  if (request.body.empty()) return removal;
  return with_options(std::move(removal), delete_options(request));
}

Writer::Removal Writer::with_options(Removal removal, const SentDeleteOptions& options) {
  if (options.grace_seconds) removal.options.grace_seconds = options.grace_seconds;
  if (!options.propagation.empty()) removal.options.propagation = options.propagation;
  removal.uid = options.uid;
  removal.resource_version = options.resource_version;
  removal.dry = removal.dry || options.dry;
  return removal;
}

// As k8s.io/kubernetes/pkg/registry/core/pod/storage/eviction.go.
asio::awaitable<Response> Writer::evict(const Target& target, const Request& request) {
  const auto sent = eviction_of(request);
  if (sent.name != target.name) throw kube::bad_request("name in URL does not match name in Eviction object");
  if (!sent.ns.empty() && sent.ns != target.ns)
    throw kube::bad_request("the namespace of the provided object does not match the namespace sent on the request");
  Removal removal;
  removal.evicts = true;
  removal.dry = dry_run(request.query);
  if (sent.options) removal = with_options(std::move(removal), *sent.options);
  bool gone = false;
  co_await remove(*target.kind, target.ns, target.name, removal, gone);
  co_return done();
}

asio::awaitable<Written> Writer::remove(const kube::Kind& kind, const std::string& ns, const std::string& name,
                                        const Removal& removal, bool& gone) {
  constexpr std::array<std::string_view, 3> kEverywhere{"default", "kube-system", "kube-public"};
  if (kind.plural == "namespaces" && std::ranges::find(kEverywhere, name) != kEverywhere.end())
    throw kube::forbidden(kind, name, "this namespace may not be deleted");
  auto decide = [&](const json& old) -> Decision {
    const auto& uid = text_at(old, "uid");
    if (!removal.uid.empty() && removal.uid != uid) throw kube::uid_precondition(kind, name, removal.uid, uid);
    const auto& version = text_at(old, "resourceVersion");
    if (!removal.resource_version.empty() && removal.resource_version != version)
      throw kube::conflict(
          kind, name,
          fmt::format("the ResourceVersion in the precondition ({}) does not match the ResourceVersion "
                      "in record ({}). The object might have been modified",
                      removal.resource_version, version));
    auto deletion =
        kube::prepare_delete(kind, removal.evicts ? kube::evicted_pod(old, now()) : old, removal.options, now());
    gone = deletion.now;
    if (gone) return {Decision::Deed::remove, std::move(deletion.object)};
    if (deletion.object == old) return {Decision::Deed::keep, std::move(deletion.object)};
    return {Decision::Deed::write, std::move(deletion.object)};
  };
  co_return co_await store_->change(kind, ns, name, decide, removal.dry);
}

asio::awaitable<Response> Writer::remove(const Target& target, const Request& request) {
  const auto& kind = *target.kind;
  const auto view = view_of(request);
  const auto removal = removal_of(request);
  bool gone = false;
  const auto left = co_await remove(kind, target.ns, target.name, removal, gone);
  if (!gone || kind.returns_deleted) co_return shown(kind, left, view);
  co_return Response{.body = kube::answer_to_deletion(kind, left.object).dump() + '\n'};
}

asio::awaitable<Response> Writer::remove_collection(const Target& target, const Request& request) {
  const auto& kind = *target.kind;
  const auto selection = selection_of(target, request.query);
  const auto removal = removal_of(request);
  std::vector<std::pair<std::string, VersionPtr>> doomed;
  for (const auto& [key, version] : cache_->objects(kind))
    if (selection.covers(key) && selection.matches(object_of(kind, *version))) doomed.emplace_back(key, version);
  std::string items;
  for (const auto& [key, version] : doomed) {
    const auto slash = key.find('/');
    const auto ns = slash == std::string::npos ? std::string() : key.substr(0, slash);
    bool gone = false;
    try {
      co_await remove(kind, ns, key.substr(ns.empty() ? 0 : slash + 1), removal, gone);
    } catch (const kube::ApiError& error) {
      if (error.code() != 404) throw;  // somebody else's deletion is as good
    }
    items += (items.empty() ? "" : ",") + version->text;
  }
  co_return Response{
      .body = fmt::format("{{\"kind\":\"{}\",\"apiVersion\":\"{}\",\"metadata\":{{\"resourceVersion\":\"{}\"}},"
                          "\"items\":[{}]}}\n",
                          kind.list_kind(), kind.api_version(), cache_->revision(), items)};
}

}  // namespace knetsim::apiserver
