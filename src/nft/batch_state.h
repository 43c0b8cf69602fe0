#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler.h"
#include "knetsim/nft/batch.h"
#include "session.h"

namespace knetsim::nft {

/// The messages of a batch, one after another as they are sent, with what each of them tries.
struct Batch::State {
 public:
  using Fill = std::function<void(nlmsghdr&)>;

  /// `type` is NFT_MSG_*, `verb` and `object` are for errors ("delete", "chain ip t c"). `fill` adds the attributes.
  void append(std::uint16_t type, Family family, std::uint16_t flags, std::string_view verb, std::string object,
              const Fill& fill);
  void append_rule(const Rule& rule, std::uint64_t handle, std::uint16_t flags, std::string_view verb);
  void append_set(const Set& set);
  /// `id`: of a set without a name of its own yet.
  void append_elements(std::uint16_t type, std::uint16_t flags, const SetId& set, std::optional<std::uint32_t> id,
                       const std::vector<Element>& elements);

  bool empty() const noexcept { return steps_.empty(); }
  std::size_t size() const noexcept { return buffer_.size(); }

  /// Everything to send, with the marks of begin and end. Call once, when it isn't empty.
  std::span<const std::uint8_t> finish();
  [[noreturn]] void raise(const std::vector<Refusal>& refusals) const;

 private:
  struct Step {
    std::size_t position;  ///< in the buffer
    std::string_view verb;
    std::string object;
    Types key;  ///< of messages with elements
  };

  std::uint32_t declare(const TableId& table, const AnonymousSet& set);
  void append_mark(std::uint16_t type);
  void append_message(std::uint16_t type, std::uint8_t family, std::uint16_t flags, std::uint16_t resource,
                      const Fill& fill);
  /// If `change` throws, nothing of it stays in the batch.
  void whole_or_not(const std::function<void()>& change);
  const nlmsghdr& message(const Step& step) const;
  /// The element that holds the attribute at this offset of the message, in words; empty if none does.
  std::string element_at(const Step& step, std::uint32_t offset) const;

  std::vector<std::uint8_t> buffer_;
  std::vector<std::uint8_t> scratch_;
  std::vector<Step> steps_;
  std::uint32_t next_set_ = 1;
};

}  // namespace knetsim::nft
