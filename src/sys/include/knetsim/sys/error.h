#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace knetsim {

/// What every knetsim exception is derived from. what() says what was tried, where, what the kernel or the daemon
/// answered, and what to do about it.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

/// The parts of an error message; empty parts are left out.
struct Diagnosis {
  std::string where = {};   ///< node, file or daemon
  std::string tried = {};   ///< "create link eth0"
  std::string answer = {};  ///< errno text, extack, log tail
  std::string remedy = {};  ///< what the reader can do
};

/// "<where>: can't <tried>: <answer>\n  remedy: <remedy>"
std::string describe(const Diagnosis& diagnosis);

/// A system call that failed. Keeps the errno, so that a caller may treat EEXIST or ENOENT as an answer.
class SystemError : public Error {
 public:
  SystemError(int error, Diagnosis diagnosis);
  /// Takes errno as it stands.
  explicit SystemError(std::string_view tried, std::string_view where = {});
  int error() const noexcept { return error_; }

 private:
  int error_;
};

/// Input that can't be used: a topology, a flag, a config. Programs exit with code 2 on it.
class InputError : public Error {
 public:
  using Error::Error;
};

/// "File exists (EEXIST)"
std::string errno_text(int error);

}  // namespace knetsim
