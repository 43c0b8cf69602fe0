#include "reader.h"

#include <fmt/format.h>

#include <charconv>
#include <random>

#include "continue_token.h"
#include "knetsim/kube/status.h"
#include "now.h"

namespace knetsim::apiserver {

using nlohmann::json;

namespace {

constexpr char kBehindSlash = '/' + 1;
constexpr std::chrono::minutes kShortestWatch{30};  // where the client doesn't say; twice that at most

kube::ApiError invalid_options(std::string field, std::string_view detail) {
  kube::FieldErrors errors;
  errors.forbidden(std::move(field), detail);
  const json details{{"group", "meta.k8s.io"},
                     {"kind", "ListOptions"},
                     {"causes",
                      {{{"reason", errors.all().front().reason},
                        {"message", errors.all().front().message},
                        {"field", errors.all().front().field}}}}};
  return kube::ApiError(422, "Invalid",
                        fmt::format("ListOptions.meta.k8s.io \"\" is invalid: {}: {}", errors.all().front().field,
                                    errors.all().front().message),
                        details);
}

/// Nullopt: not given.
std::optional<etcd::Revision> revision_of(const Query& query) {
  const auto& text = query["resourceVersion"];
  if (text.empty()) return std::nullopt;
  std::uint64_t revision = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (code == std::errc{} && end == text.data() + text.size() && revision <= (1ULL << 62))
    return static_cast<etcd::Revision>(revision);
  throw kube::plain_failure(
      500, fmt::format("resourceVersion: Invalid value: \"{}\": strconv.ParseUint: parsing \"{}\": {}", text, text,
                       code == std::errc::result_out_of_range ? "value out of range" : "invalid syntax"));
}

struct Revisions {
  std::optional<etcd::Revision> wanted;
  bool exact = false;
};

Revisions revisions_of(const Query& query, bool watch) {
  Revisions revisions{revision_of(query)};
  const auto& match = query["resourceVersionMatch"];
  const bool initial = query.has("sendInitialEvents");
  if (initial && !watch) throw invalid_options("sendInitialEvents", "sendInitialEvents is forbidden for list");
  if (initial && match != "NotOlderThan")
    throw invalid_options("resourceVersionMatch",
                          "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  if (watch && !match.empty() && !initial)
    throw invalid_options("resourceVersionMatch", "resourceVersionMatch is forbidden for watch");
  if (match.empty() || watch) return revisions;
  if (!revisions.wanted)
    throw invalid_options("resourceVersionMatch",
                          "resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (match != "Exact" && match != "NotOlderThan")
    throw invalid_options("resourceVersionMatch", "supported values: \"Exact\", \"NotOlderThan\"");
  revisions.exact = match == "Exact";
  if (revisions.exact && *revisions.wanted == 0)
    throw invalid_options("resourceVersionMatch",
                          "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  return revisions;
}

/// A list while it is written. Its metadata come last: what is in them is known then, and a long body isn't copied.
class ListWriter {
 public:
  ListWriter(const kube::Kind& kind, View view) : kind_(&kind), view_(std::move(view)) {
    const auto begin = [this](std::string_view list, std::string_view version, std::string_view items) {
      body_ = fmt::format(R"({{"kind":"{}","apiVersion":"{}","{}":[)", list, version, items);
    };
    const auto meta = "meta.k8s.io/" + view_.form.version;
    if (view_.form.kind == Form::Kind::object)
      begin(kind_->list_kind(), kind_->api_version(), "items");
    else if (view_.form.kind == Form::Kind::metadata)
      begin("PartialObjectMetadataList", meta, "items");
    else
      begin("Table", meta, "rows");
  }

  /// `object` is the version's, or null if nobody has parsed it yet.
  void add(const Version& version, const json* object) {
    if (std::exchange(any_, true)) body_ += ',';
    if (view_.form.kind == Form::Kind::object) {
      if (version.text.empty()) throw kube::internal_error(version.problem);
      body_ += version.text;
    } else if (object != nullptr) {
      body_ += shown(*object);
    } else {
      body_ += shown(object_of(*kind_, version));
    }
  }

  std::string finish(const json& metadata) {
    body_ += fmt::format("],\"metadata\":{}", metadata.dump());
    if (view_.form.kind == Form::Kind::table)
      body_ += fmt::format(",\"columnDefinitions\":{}", kube::column_definitions(*kind_).dump());
    body_ += "}\n";
    return std::move(body_);
  }

 private:
  std::string shown(const json& object) const {
    if (view_.form.kind == Form::Kind::metadata) return kube::partial_metadata(object, view_.form.version).dump();
    return kube::table_row(*kind_, object, {now(), view_.include, false, view_.form.version}).dump();
  }

  const kube::Kind* kind_;
  View view_;
  std::string body_;
  bool any_ = false;
};

}  // namespace

Selection selection_of(const Target& target, const Query& query) {
  Selection selection;
  selection.kind = target.kind;
  selection.ns = target.ns;
  selection.labels = kube::LabelSelector::parse(query["labelSelector"]);
  selection.fields = kube::FieldSelector::parse(*target.kind, query["fieldSelector"]);
  return selection;
}

View view_of(const Request& request) {
  return {accepted_form(request.accept), kube::include_object(request.query["includeObject"])};
}

Response shown(const kube::Kind& kind, const json& object, const View& view, unsigned status) {
  Response response;
  response.status = status;
  if (view.form.kind == Form::Kind::object) {
    response.body = object.dump() + '\n';
  } else if (view.form.kind == Form::Kind::metadata) {
    response.body = kube::partial_metadata(object, view.form.version).dump() + '\n';
  } else {
    const json metadata{{"resourceVersion", object["metadata"].value("resourceVersion", "")}};
    const json* const one = &object;
    response.body = kube::table(kind, {one, 1}, metadata, {now(), view.include, true, view.form.version}).dump() + '\n';
  }
  return response;
}

Response Reader::get(const Target& target, const Request& request) const {
  const auto view = view_of(request);
  const auto version = cache_->find(*target.kind, cache_key(target.ns, target.name));
  if (!version) throw kube::not_found(*target.kind, target.name);
  if (view.form.kind != Form::Kind::object) return shown(*target.kind, object_of(*target.kind, *version), view);
  return {.body = text_of(*target.kind, *version) + '\n'};
}

Response Reader::list(const Target& target, const Request& request) const {
  const auto& query = request.query;
  if (target.watch || query.flag("watch")) return watch(target, request);
  const auto& kind = *target.kind;
  const auto selection = selection_of(target, query);
  auto revisions = revisions_of(query, false);
  const auto limit = std::max<std::int64_t>(query.number("limit").value_or(0), 0);
  std::string start = target.ns.empty() ? "" : target.ns + '/';
  const std::string prefix = start;
  if (!query["continue"].empty()) {
    if (revisions.wanted && *revisions.wanted != 0)
      throw kube::bad_request("specifying resource version is not allowed when using continue");
    const auto token = read_continue_token(query["continue"]);
    start += token.start;
    revisions = {token.revision, token.revision > 0};
  }
  if (revisions.wanted && *revisions.wanted > cache_->revision())
    throw kube::resource_version_too_large(static_cast<std::uint64_t>(*revisions.wanted),
                                           static_cast<std::uint64_t>(cache_->revision()));

  std::optional<Cache::Objects> past;
  auto revision = cache_->revision();
  if (revisions.exact && *revisions.wanted != revision) {
    revision = *revisions.wanted;
    past = cache_->objects_at(kind, revision);
    if (!past)
      throw kube::expired(query["continue"].empty()
                              ? "The resourceVersion for the provided list is too old."
                              : "The provided continue parameter is too old to display a consistent list result. You "
                                "must start a new list without the continue parameter.");
  }
  const auto& objects = past ? *past : cache_->objects(kind);

  ListWriter writer(kind, view_of(request));
  const bool select = !selection.labels.empty() || !selection.fields.empty();
  std::int64_t count = 0;
  json metadata{{"resourceVersion", std::to_string(revision)}};
  std::string last;
  // A limit together with resourceVersion=0, which any state will do for, is as good as none.
  const bool limited = limit > 0 && !(revisions.wanted && *revisions.wanted == 0);
  for (auto each = objects.lower_bound(start); each != objects.end() && each->first.starts_with(prefix); ++each) {
    json object;
    if (select) {
      object = object_of(kind, *each->second);
      if (!selection.matches(object)) continue;
    }
    if (limited && count == limit) {
      metadata["continue"] = continue_token({revision, last.substr(prefix.size()) + '\0'});
      if (!select) {
        const auto end = prefix.empty() ? objects.end() : objects.lower_bound(target.ns + kBehindSlash);
        metadata["remainingItemCount"] = std::distance(each, end);
      }
      break;
    }
    writer.add(*each->second, select ? &object : nullptr);
    last = each->first;
    ++count;
  }
  return {.body = writer.finish(metadata)};
}

Response Reader::watch(const Target& target, const Request& request) const {
  const auto& query = request.query;
  WatchRequest watch;
  watch.selection = selection_of(target, query);
  watch.view = view_of(request);
  const auto revisions = revisions_of(query, true);
  watch.bookmarks = query.flag("allowWatchBookmarks");
  const bool initial = query.flag("sendInitialEvents");
  watch.mark_initial_end = initial && watch.bookmarks;
  // With sendInitialEvents=true the state as of any revision that is not older, and ours never is.
  if (!initial && revisions.wanted && *revisions.wanted > 0) watch.since = revisions.wanted;
  if (query.has("sendInitialEvents") && !initial && !watch.since) watch.since = cache_->revision();
  const auto seconds = query.number("timeoutSeconds").value_or(0);
  constexpr std::int64_t kDay = 24 * 3600;
  watch.timeout = seconds > 0 ? std::chrono::milliseconds(std::min(seconds, kDay) * 1'000)
                              : kShortestWatch + std::chrono::milliseconds(std::random_device{}() % 1'800'000);
  watch.token = token_;
  Response response;
  response.stream = std::make_shared<EventStream>(executor_, *cache_, std::move(watch));
  return response;
}

}  // namespace knetsim::apiserver
