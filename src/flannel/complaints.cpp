#include "complaints.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>

namespace knetsim::flannel {

namespace {

constexpr std::size_t kLongestThing = 120;
constexpr std::size_t kLongestLine = 400;
constexpr std::chrono::seconds kRefill{2};  // for one more line

std::string one_line(const std::string& text) {
  auto line = text.substr(0, kLongestLine);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return text.size() > kLongestLine ? line + "…" : line;
}

/// A thing's name may be as long as a key of etcd's: more than a megabyte.
std::string remembered(const std::string& thing) {
  return thing.size() <= kLongestThing ? thing : std::to_string(std::hash<std::string>{}(thing));
}

}  // namespace

void Complaints::forget(const std::string& thing) {
  if (!said_.empty()) said_.erase(remembered(thing));
}

bool Complaints::may_say(Clock::time_point now) {
  const auto earned = static_cast<std::size_t>(std::max<std::int64_t>(0, (now - refilled_) / kRefill));
  if (earned > 0) {
    left_ = std::min(kBurst, left_ + earned);
    refilled_ = now;
  }
  if (left_ == 0) return false;
  --left_;
  return true;
}

void Complaints::say(const std::string& thing, const std::string& line, Clock::time_point now) {
  const auto name = remembered(thing);
  const auto what = std::hash<std::string>{}(line);
  if (const auto known = said_.find(name); known != said_.end() && known->second == what) return;
  if (said_.size() >= kRemembered) said_.clear();
  said_[name] = what;
  if (!may_say(now)) {
    ++passed_over_;
    return;
  }
  const auto more = passed_over_ > 0 ? fmt::format(" ({} more such lines were left out)", passed_over_) : "";
  passed_over_ = 0;
  spdlog::warn("{}{}", one_line(line), more);
}

}  // namespace knetsim::flannel
