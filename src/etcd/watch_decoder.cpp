#include "watch_decoder.h"

#include <algorithm>
#include <utility>

#include "knetsim/sys/text.h"
#include "wire.h"

namespace knetsim::etcd {

namespace {

/// google.rpc.Code of refusals that no other attempt and no other member would answer otherwise:
/// INVALID_ARGUMENT, PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED.
bool is_final(int code) { return code == 3 || code == 7 || code == 12 || code == 16; }

}  // namespace

std::optional<std::string> WatchDecoder::take(const std::string& line) {
  try {
    const auto message = wire::parse(line);
    return take_message(JsonPlace(message));
  } catch (const InputError& malformed) {
    return "an answer that isn't etcd's: " + std::string(malformed.what()) + ": " + excerpt(line);
  }
}

std::optional<std::string> WatchDecoder::take_message(const JsonPlace& message) {
  if (const auto refusal = wire::refusal(message)) {
    if (is_final(refusal->code))
      over_ = std::make_exception_ptr(Error(Error::Code::other, diagnose_(refusal->message)));
    return refusal->message;
  }
  const auto result = message["result"];
  if (wire::bool_at(result, "canceled")) return cancelled(result);
  const Revision revision = wire::header_revision(result);
  auto events = result.each("events", wire::event);

  if (wire::bool_at(result, "created")) {
    stream_accepted_ = accepted_ = true;
    if (next_ == 0) next_ = revision + 1;
  } else if (events.empty() && revision >= next_) {
    // A progress notification (etcd's learning/api.md, WatchCreateRequest.progress_notify): nothing is in flight.
    next_ = revision + 1;
  }
  take_events(std::move(events));
  return std::nullopt;
}

void WatchDecoder::take_events(std::vector<Event> events) {
  // The header's revision is the store's, which may be ahead of events that are still to come: only the events
  // themselves say how far we are.
  std::erase_if(events, [this](const Event& event) { return event.kv.mod_revision < next_; });
  if (events.empty()) return;
  WatchEvents batch;
  for (const Event& event : events) batch.revision = std::max(batch.revision, event.kv.mod_revision);
  batch.events = std::move(events);
  next_ = batch.revision + 1;
  ready_.push_back(std::move(batch));
}

std::optional<std::string> WatchDecoder::cancelled(const JsonPlace& result) {
  const Revision compacted = wire::revision_at(result, "compact_revision");
  const std::string reason = wire::message_at(result, "cancel_reason");
  if (compacted > 0) {
    over_ = std::make_exception_ptr(Compacted(
        compacted,
        diagnose_("revision " + std::to_string(next_) + " was compacted (now at " + std::to_string(compacted) + ")")));
  }
  return "the server cancelled the watch: " + (reason.empty() ? "it gave no reason" : reason);
}

void WatchDecoder::take_refusal(const std::string& body) {
  try {
    const auto answer = wire::parse(body);
    const auto refusal = wire::refusal(JsonPlace(answer));
    if (refusal && is_final(refusal->code))
      over_ = std::make_exception_ptr(Error(Error::Code::other, diagnose_(refusal->message)));
  } catch (const InputError&) {
    // Not etcd's answer: another attempt may meet etcd.
  }
}

}  // namespace knetsim::etcd
