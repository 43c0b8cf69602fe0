#include "complete.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "knetsim/netlink/link.h"
#include "live_checks.h"
#include "lookup.h"
#include "methods.h"
#include "verbs.h"

namespace knetsim::cli::shell {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> verb_names() {
  std::vector<std::string> names;
  for (const auto& verb : verbs()) names.emplace_back(verb.name());
  return names;
}

std::vector<std::string> names_of(Session& session, Argument kind) {
  std::vector<std::string> names;
  for (auto* cluster : session.emulation.clusters()) {
    if (kind == Argument::cluster) names.push_back(cluster->name());
    if (kind == Argument::worker)
      for (const auto* worker : cluster->workers()) names.push_back(worker->name());
    if (kind == Argument::container)
      for (const auto* container : cluster->containers()) names.push_back(container->name());
  }
  return names;
}

std::vector<std::string> programs_on_path() {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "");
  std::vector<std::string> names;
  std::error_code ignored;
  for (std::string directory; std::getline(directories, directory, ':');)
    for (const auto& entry : fs::directory_iterator(directory, ignored)) names.push_back(entry.path().filename());
  return names;
}

std::vector<std::string> files_like(const std::string& begun) {
  const fs::path path(begun);
  const auto directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    auto name =
        path.has_parent_path() ? (directory / entry.path().filename()).string() : entry.path().filename().string();
    if (entry.is_directory(ignored)) name += '/';
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> daemons_on(Session& session, const std::string& node) {
  std::vector<std::string> names;
  const auto* found = session.emulation.find(node);
  for (const auto& running : running_programs(session))
    if (found != nullptr && running.node == found->name()) names.push_back(running.name);
  return names;
}

std::vector<std::string> vips_of(Session& session, const std::string& cluster) {
  std::vector<std::string> addresses;
  for (auto* one : session.emulation.clusters())
    if (one->name() == cluster)
      for (const auto& service : one->vips().services()) addresses.push_back(service.address.to_string());
  return addresses;
}

/// Whom a packet can be sent to.
std::vector<std::string> targets_of(Session& session) {
  auto names = node_names(session);
  for (auto* cluster : session.emulation.clusters())
    for (const auto& service : cluster->vips().services()) names.push_back(service.address.to_string());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<std::string> services_of(Session& session, const std::string& cluster) {
  std::vector<std::string> names;
  for (auto* one : session.emulation.clusters())
    if (const auto* spec = session.emulation.service_network().spec(*one); spec != nullptr && one->name() == cluster)
      for (const auto& service : spec->services) names.push_back(service.name);
  return names;
}

std::vector<std::string> interfaces_on(Session& session, const std::string& node) {
  const auto* found = session.emulation.find(node);
  if (found == nullptr) return {};
  auto socket = found->netlink();
  std::vector<std::string> names{"any"};
  for (const auto& link : netlink::list_links(socket)) names.push_back(link.name);
  return names;
}

std::vector<std::string> check_ids() {
  std::vector<std::string> ids;
  for (const auto& check : live_checks()) ids.emplace_back(check.id);
  return ids;
}

std::vector<std::string> fitting(Session& session, Argument kind, const std::vector<std::string>& words,
                                 const std::string& begun) {
  switch (kind) {
    case Argument::node:
      return node_names(session);
    case Argument::peer:
      return words.back() == "all" ? std::vector<std::string>{} : node_names(session);
    case Argument::worker:
    case Argument::container:
    case Argument::cluster:
      return names_of(session, kind);
    case Argument::daemon:
      return daemons_on(session, words.back());
    case Argument::verb:
      return verb_names();
    case Argument::file:
      return files_like(begun);
    case Argument::state:
      return words.front() == "vip" ? std::vector<std::string>{"add", "del"} : std::vector<std::string>{"up", "down"};
    case Argument::program:
      return programs_on_path();
    case Argument::vip:
      return words.at(1) == "del" ? vips_of(session, words.back()) : std::vector<std::string>{};
    case Argument::service:
      return services_of(session, words.back());
    case Argument::interface:
      return interfaces_on(session, words.back());
    case Argument::target:
      return targets_of(session);
    case Argument::all: {
      auto names = node_names(session);
      names.emplace_back("all");
      return names;
    }
    case Argument::only:
      return {"--only"};
    case Argument::checks:
      return check_ids();
    case Argument::words:
      return node_names(session);
  }
  return {};
}

// "py C0w1.exe", "C0w1.exec_container(\"c"
std::vector<std::string> in_call(Session& session, const std::string& line, std::size_t& begin) {
  const auto dot = line.rfind('.');
  const auto bracket = line.rfind('(');
  if (bracket == std::string::npos) {
    begin = dot + 1;
    auto names = method_names();
    for (auto& name : names) name += takes_arguments(name) ? "(\"" : "()";
    return names;
  }
  const auto quote = line.find_last_of("\"'");
  if (quote == std::string::npos || quote < bracket) return {};
  begin = quote + 1;
  std::vector<std::string> names;
  for (const auto& name : names_of(session, Argument::container)) names.push_back(name.substr(name.find('/') + 1));
  return names;
}

std::vector<std::string> words_before(const std::string& line, std::size_t begin) {
  std::istringstream text(line.substr(skip_prompt(line), begin - std::min(begin, skip_prompt(line))));
  std::vector<std::string> words;
  for (std::string word; text >> word;)
    if (!words.empty() || word != "time") words.push_back(word);  // what is timed is a line of its own
  return words;
}

std::vector<std::string> candidates_at(Session& session, const std::string& line, std::size_t begin) {
  const auto words = words_before(line, begin);
  if (words.empty()) {
    auto names = verb_names();
    const auto nodes = node_names(session);
    names.insert(names.end(), nodes.begin(), nodes.end());
    names.emplace_back("py");
    return names;
  }
  const auto begun = line.substr(begin);
  if (const auto* verb = find_verb(words.front())) {
    if (verb->arguments.empty()) return {};
    const auto place = words.size() - 1;
    const auto dots = verb->usage.find("...");  // of the last: COMMAND..., [CONTAINER...], but not ID,...
    const bool goes_on = dots != std::string_view::npos && verb->usage[dots - 1] != ',';
    if (place >= verb->arguments.size() && !goes_on) return {};
    return fitting(session, verb->arguments[std::min(place, verb->arguments.size() - 1)], words, begun);
  }
  if (words.size() == 1 && session.emulation.find(words.front()) != nullptr) return programs_on_path();
  return begun.find('/') == std::string::npos || session.emulation.find(begun.substr(0, begun.find('/'))) != nullptr
             ? node_names(session)
             : files_like(begun);
}

}  // namespace

Completion complete(Session& session, const std::string& line) {
  Completion result;
  const auto blank = line.find_last_of(" \t");
  result.begin = blank == std::string::npos ? 0 : blank + 1;
  result.begin = std::max(result.begin, std::min(skip_prompt(line), line.size()));
  const auto words = words_before(line, result.begin);
  const auto word = line.substr(result.begin);
  const bool is_call =
      (!words.empty() && words.front() == "py") || (words.empty() && word.find('.') != std::string::npos);
  if (is_call && line.find('.') == std::string::npos)
    result.candidates = names_of(session, Argument::worker);
  else
    result.candidates = is_call ? in_call(session, line, result.begin) : candidates_at(session, line, result.begin);
  const auto begun = line.substr(result.begin);
  std::erase_if(result.candidates, [&](const std::string& name) { return !name.starts_with(begun); });
  std::sort(result.candidates.begin(), result.candidates.end());
  result.candidates.erase(std::unique(result.candidates.begin(), result.candidates.end()), result.candidates.end());
  return result;
}

}  // namespace knetsim::cli::shell
