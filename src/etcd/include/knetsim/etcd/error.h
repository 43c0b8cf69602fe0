#pragma once

#include "knetsim/etcd/types.h"
#include "knetsim/sys/error.h"

namespace knetsim::etcd {

/// The server answered, but with an error, or with something that isn't an answer of etcd's. what() names the endpoint,
/// the call and the answer.
class Error : public knetsim::Error {
 public:
  /// google.rpc.Code as far as callers tell them apart; `other` also for answers that carry none.
  enum class Code { other, deadline_exceeded, not_found, out_of_range, failed_precondition, unavailable };
  Error(Code code, const Diagnosis& diagnosis) : knetsim::Error(describe(diagnosis)), code_(code) {}
  Code code() const noexcept { return code_; }

 private:
  Code code_;
};

/// No endpoint gave an answer in time. what() says for each endpoint what happened.
class Unavailable : public Error {
 public:
  Unavailable(bool maybe_applied, const Diagnosis& diagnosis)
      : Error(Code::unavailable, diagnosis), maybe_applied_(maybe_applied) {}
  /// True if a change was sent and its answer lost: it may have happened. Read before you repeat it.
  bool maybe_applied() const noexcept { return maybe_applied_; }

 private:
  bool maybe_applied_;
};

/// The revisions that a watch wants are gone: list again and watch from there.
class Compacted : public Error {
 public:
  Compacted(Revision compact_revision, const Diagnosis& diagnosis)
      : Error(Code::out_of_range, diagnosis), compact_revision_(compact_revision) {}
  Revision compact_revision() const noexcept { return compact_revision_; }

 private:
  Revision compact_revision_;
};

}  // namespace knetsim::etcd
