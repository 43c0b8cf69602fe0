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
#include "knetsim/netlink/channel.h"
#include "knetsim/nft/batch.h"

namespace knetsim::nft {

/// The messages of a batch, one after another as they are sent, with what each of them tries.
struct Batch::State {
 public:
  using Fill = std::function<void(nlmsghdr&)>;

  /// `type` is NFT_MSG_*, `verb` and `object` are for errors ("delete", "chain ip t c"). `fill` adds the attributes.
  void append(std::uint16_t type, Family family, std::uint16_t flags, std::string_view verb, std::string object,
              const Fill& fill);
  void append_table(std::uint16_t type, const Table& table);
  void append_rule(const Rule& rule, std::uint64_t handle, std::uint16_t flags, std::string_view verb);
  void append_set(const Set& set);
  /// `id`: of a set without a name of its own yet.
  void append_elements(std::uint16_t type, std::uint16_t flags, const SetId& set, std::optional<std::uint32_t> id,
                       const std::vector<Element>& elements);
  void append_elements(std::uint16_t type, std::uint16_t flags, const Set& set, std::span<const RawElement> elements);

  bool empty() const noexcept { return steps_.empty(); }
  std::size_t size() const noexcept { return buffer_.size(); }  // without the marks

  /// Adds and deletes the table, which makes it absent either way. A deletion costs a grace period of the kernel's RCU
  /// (about 10 ms), even of what was added a moment ago: so it is left out where the table doesn't exist.
  void append_absence(const TableId& table);
  bool has_absences() const noexcept { return !absences_.empty(); }

  /// All that is to be sent where these tables exist, with the marks of begin and end; empty if that is nothing. With a
  /// generation of the ruleset, the kernel refuses the batch with ERESTART in any other.
  std::vector<std::uint8_t> assemble(const std::vector<TableId>& existing,
                                     std::optional<std::uint32_t> generation) const;
  [[noreturn]] void raise(const std::vector<netlink::Verdict>& refusals) const;

 private:
  struct Step {
    std::size_t position;  ///< in the buffer
    std::string_view verb;
    std::string object;
    Types key;  ///< of messages with elements
  };

  struct Absence {
    TableId table;
    std::size_t first;  ///< of its two steps
  };

  std::uint32_t declare(const TableId& table, const AnonymousSet& set);
  static void append_message(std::vector<std::uint8_t>& buffer, std::span<std::uint8_t> scratch, const nlmsghdr& wanted,
                             std::uint8_t family, std::uint16_t resource, const Fill& fill);
  /// As many messages with elements as it takes: `put` adds the element of that number.
  void append_lists(std::uint16_t type, std::uint16_t flags, const SetId& set, std::optional<std::uint32_t> id,
                    const Types& key, std::size_t count, const std::function<void(nlmsghdr&, std::size_t)>& put);
  /// If `change` throws, nothing of it stays in the batch.
  void whole_or_not(const std::function<void()>& change);
  const nlmsghdr& message(const Step& step) const;
  /// The element that holds the attribute at this offset of the message, in words; empty if none does.
  std::string element_at(const Step& step, std::uint32_t offset) const;

  std::vector<std::uint8_t> buffer_;
  std::vector<std::uint8_t> scratch_;
  std::vector<Step> steps_;
  std::vector<Absence> absences_;
  std::uint32_t next_set_ = 1;
};

}  // namespace knetsim::nft
