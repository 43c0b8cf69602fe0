#include "knetsim/sys/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace knetsim {

std::string errno_text(int error) {
  const char* name = strerrorname_np(error);
  return fmt::format("{} ({})", strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error",
                     name ? name : std::to_string(error));
}

std::string describe(const Diagnosis& diagnosis) {
  std::string text;
  if (!diagnosis.where.empty()) text += diagnosis.where + ": ";
  if (!diagnosis.tried.empty()) text += "can't " + diagnosis.tried;
  if (!diagnosis.answer.empty()) text += (diagnosis.tried.empty() ? "" : ": ") + diagnosis.answer;
  if (!diagnosis.remedy.empty()) text += "\n  remedy: " + diagnosis.remedy;
  return text;
}

namespace {
Diagnosis with_errno(int error, Diagnosis diagnosis) {
  diagnosis.answer = errno_text(error) + (diagnosis.answer.empty() ? "" : ": " + diagnosis.answer);
  return diagnosis;
}
}  // namespace

SystemError::SystemError(int error, Diagnosis diagnosis)
    : Error(describe(with_errno(error, std::move(diagnosis)))), error_(error) {}

SystemError::SystemError(std::string_view tried, std::string_view where)
    : SystemError(errno, Diagnosis{.where = std::string(where), .tried = std::string(tried)}) {}

}  // namespace knetsim
