#include "kubelet_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>

#include "knetsim/apiserver/query.h"
#include "knetsim/kube/status.h"
#include "knetsim/kube/time.h"
#include "knetsim/sys/text.h"

namespace knetsim {

namespace {

using apiserver::Query;
using Deed = KubeletRequest::Deed;

Deed deed_of(const std::string& word) {
  if (word == "exec") return Deed::exec;
  if (word == "attach") return Deed::attach;
  if (word == "containerLogs") return Deed::log;
  if (word == "portForward") return Deed::forward;
  throw kube::resource_not_found();
}

std::optional<std::uint64_t> count_of(const Query& query, std::string_view word) {
  const auto number = query.number(word);
  if (number && *number < 0) throw kube::bad_request(fmt::format("{}: must be greater than or equal to 0", word));
  return number;
}

std::optional<LogTime> since_of(const Query& query) {
  const auto seconds = query.number("sinceSeconds");
  if (seconds && query.has("sinceTime"))
    throw kube::bad_request("at most one of `sinceTime` or `sinceSeconds` may be specified");
  constexpr std::int64_t kLongest = 100LL * 365 * 24 * 3'600;
  if (seconds) {
    if (*seconds < 1) throw kube::bad_request("sinceSeconds: must be greater than 0");
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(
        std::chrono::system_clock::now() - std::chrono::seconds(std::min<std::int64_t>(*seconds, kLongest)));
  }
  if (!query.has("sinceTime")) return std::nullopt;
  const auto time = kube::parse_timestamp(query["sinceTime"]);
  if (!time) throw kube::bad_request(fmt::format("sinceTime: {} isn't a time", excerpt(query["sinceTime"])));
  return LogTime(*time);
}

LogOptions log_options(const Query& query) {
  return {.follow = query.flag("follow"),
          .previous = query.flag("previous"),
          .tail_lines = count_of(query, "tailLines"),
          .limit_bytes = count_of(query, "limitBytes"),
          .timestamps = query.flag("timestamps"),
          .since = since_of(query)};
}

}  // namespace

KubeletRequest KubeletRequest::parse(std::string_view target) {
  const auto mark = std::min(target.find('?'), target.size());
  const Query query(target.substr(std::min(mark + 1, target.size())));
  std::vector<std::string> words;
  const auto path = target.substr(0, mark);
  boost::algorithm::split(words, path, boost::algorithm::is_any_of("/"));
  // Names need no encoding.
  constexpr std::size_t kWords = 5;
  if (words.size() < 2 || !words[0].empty()) throw kube::resource_not_found();
  KubeletRequest request;
  request.deed = deed_of(words[1]);
  if (request.deed == Deed::forward) words.emplace_back();  // of the whole pod
  if (words.size() != kWords) throw kube::resource_not_found();
  request.where = {.node = {}, .ns = words[2], .pod = words[3], .container = words[4]};
  if (request.deed == Deed::forward) return request;
  if (request.deed == Deed::log) {
    request.log = log_options(query);
    return request;
  }
  request.streams = {.in = query.flag("input"),
                     .out = query.flag("output"),
                     .err = query.flag("error"),
                     .terminal = query.flag("tty")};
  if (!request.streams.in && !request.streams.out && !request.streams.err)
    throw kube::bad_request("you must specify at least 1 of stdin, stdout, stderr");
  if (request.deed == Deed::exec) {
    request.command = query.all("command");
    if (request.command.empty() || request.command.front().empty())
      throw kube::bad_request("you must specify at least 1 command for the container");
    for (const auto& word : request.command)
      if (word.find('\0') != std::string::npos) throw kube::bad_request("a word of the command holds a zero byte");
  }
  return request;
}

}  // namespace knetsim
