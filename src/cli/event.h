#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::cli {

/// The stream that suite programs write, one JSON object a line: docs/results-schema.md.
inline constexpr std::string_view kEventSchema = "knetsim.events/1";
inline constexpr std::size_t kLongestLine = std::size_t{1} << 20;

enum class Verdict { passed, failed, skipped };
std::string_view word_of(Verdict verdict);

/// Why a test failed or was skipped; file is empty and line 0 or -1 where GoogleTest doesn't know them.
struct Reason {
  std::string file;
  int line = 0;
  std::string text;
  bool operator==(const Reason&) const = default;
};

struct RunStarted {
  std::string program;
  std::size_t tests = 0;
};
struct TestListed {
  std::string test;
  std::string check;  ///< empty: the test declares none
  std::string title;
};
struct TestStarted {
  std::string test;
};
struct StepStarted {
  std::string from;
  std::string to;
  std::string what;
};
struct StepEnded {
  std::string from;
  std::string to;
  std::string what;
  double seconds = 0;
  bool ok = false;
};
struct FailureSeen {
  Reason reason;
};
struct EvidenceSaved {
  std::string path;
};
struct TestEnded {
  std::string test;
  Verdict verdict = Verdict::failed;
  double seconds = 0;
  std::vector<Reason> reasons;
  std::string evidence;  ///< a path; empty: none was saved
};
struct RunEnded {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t skipped = 0;
};
/// A kind of event that this version doesn't know: later minor versions may add some.
struct UnknownEvent {};

using Event = std::variant<RunStarted, TestListed, TestStarted, StepStarted, StepEnded, FailureSeen, EvidenceSaved,
                           TestEnded, RunEnded, UnknownEvent>;

/// A line that isn't an event. what() says why and quotes the line's beginning.
class ProtocolError : public Error {
 public:
  using Error::Error;
};

/// One line, without its newline. Unknown members are ignored; a missing one or one of a wrong type throws.
Event parse_event(std::string_view line);

/// Cuts a stream into lines, whatever the pieces it comes in. A line that is too long or that lacks its newline at
/// the end of the stream is reported as such instead of being kept in memory.
class LineSplitter {
 public:
  struct Line {
    std::string text;
    bool whole = true;  ///< false: too long, or cut off by the end of the stream
  };

  std::vector<Line> feed(std::string_view bytes);
  /// What is left when the stream ends: at most one line, not whole.
  std::vector<Line> finish();

 private:
  std::string pending_;
  bool overlong_ = false;
};

}  // namespace knetsim::cli
