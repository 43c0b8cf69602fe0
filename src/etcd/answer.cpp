#include "answer.h"

#include <utility>

#include "knetsim/sys/text.h"

namespace knetsim::etcd {

namespace {

Error::Code code_of(int grpc_code) {
  switch (grpc_code) {
    case 4:
      return Error::Code::deadline_exceeded;
    case 5:
      return Error::Code::not_found;
    case 9:
      return Error::Code::failed_precondition;
    case 11:
      return Error::Code::out_of_range;
    case 14:
      return Error::Code::unavailable;
    default:
      return Error::Code::other;
  }
}

[[noreturn]] void raise(const wire::Refusal& refusal, const std::string& endpoint, const std::string& target) {
  const Error::Code code = code_of(refusal.code);
  Diagnosis diagnosis = diagnose(endpoint, target, refusal.message);
  if (code == Error::Code::unavailable || code == Error::Code::deadline_exceeded) throw Unavailable(true, diagnosis);
  throw Error(code, diagnosis);
}

}  // namespace

Diagnosis diagnose(const std::string& endpoint, const std::string& target, std::string answer) {
  return {.where = endpoint, .tried = "call " + target, .answer = std::move(answer)};
}

JsonDocument good_answer(const Answer& answer, const std::string& target) {
  const auto refuse = [&](const std::string& why) {
    throw Error(
        Error::Code::other,
        diagnose(answer.endpoint, target, "HTTP " + std::to_string(answer.status) + why + ": " + excerpt(answer.body)));
  };
  JsonDocument body;
  std::optional<wire::Refusal> refusal;
  try {
    body = wire::parse(answer.body);
    refusal = wire::refusal(JsonPlace(body));
  } catch (const InputError& malformed) {
    refuse(std::string(", ") + malformed.what());
  }
  if (refusal) raise(*refusal, answer.endpoint, target);
  if (answer.status != kOk) refuse("");
  return body;
}

}  // namespace knetsim::etcd
