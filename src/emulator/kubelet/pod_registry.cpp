#include "pod_registry.h"

#include <fmt/format.h>

#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim::kubelet {

// No part of it can hold a slash.
std::string PodRegistry::key_of(const PodContainer& where) {
  return fmt::format("{}/{}/{}/{}", where.ns, where.pod, where.node, where.container);
}

void PodRegistry::add(const std::string& ns, const std::string& pod) {
  const std::scoped_lock lock(mutex_);
  pods_.insert(fmt::format("{}/{}", ns, pod));
}

void PodRegistry::put(const PodContainer& where, RegisteredContainer container) {
  const std::scoped_lock lock(mutex_);
  containers_[key_of(where)] = std::move(container);
}

void PodRegistry::forget(const std::string& ns, const std::string& pod) {
  const std::scoped_lock lock(mutex_);
  const auto prefix = fmt::format("{}/{}/", ns, pod);
  pods_.erase(fmt::format("{}/{}", ns, pod));
  std::erase_if(containers_, [&](const auto& one) { return one.first.starts_with(prefix); });
}

void PodRegistry::ended(const PodContainer& where) {
  const std::scoped_lock lock(mutex_);
  const auto found = containers_.find(key_of(where));
  if (found == containers_.end()) return;
  found->second.runs = false;
  found->second.ended.reset();
  found->second.in.reset();
}

bool PodRegistry::has(const PodContainer& where) {
  const std::scoped_lock lock(mutex_);
  return pods_.contains(fmt::format("{}/{}", where.ns, where.pod));
}

RegisteredContainer& PodRegistry::find(const PodContainer& where) {
  const auto found = containers_.find(key_of(where));
  if (found == containers_.end())
    throw InputError(fmt::format("container {} of pod {}/{} hasn't been started on {}", where.container, where.ns,
                                 where.pod, where.node));
  return found->second;
}

RegisteredContainer& PodRegistry::find_running(const PodContainer& where) {
  auto& container = find(where);
  if (!container.runs)
    throw InputError(fmt::format("container {} of pod {}/{} isn't running", where.container, where.ns, where.pod));
  return container;
}

PodProgram PodRegistry::start(const PodContainer& where, std::vector<std::string> argv, Streams wanted) {
  if (!has(where)) return others_->start(where, std::move(argv), wanted);
  const std::scoped_lock lock(mutex_);  // until the program has its namespace
  const auto& container = find_running(where);
  auto command = container.command;
  command.argv = std::move(argv);
  auto program = start_with_streams(command, wanted, container.shown);
  if (container.gone) program.container = duplicate(container.gone);
  return program;
}

PodAttachment PodRegistry::attach(const PodContainer& where) {
  if (!has(where)) return others_->attach(where);
  const std::scoped_lock lock(mutex_);
  auto& container = find_running(where);
  auto in = container.in_once ? std::move(container.in) : container.in ? duplicate(container.in) : Fd();
  return {.in = std::move(in),
          .terminal = container.terminal,
          .log = {.file = container.log, .ended = container.ended ? duplicate(container.ended) : Fd()}};
}

Fd PodRegistry::socket_in(const PodContainer& pod) {
  if (!has(pod)) return others_->socket_in(pod);
  const std::scoped_lock lock(mutex_);
  const auto prefix = fmt::format("{}/{}/{}/", pod.ns, pod.pod, pod.node);
  for (const auto& [key, container] : containers_)
    if (key.starts_with(prefix) && container.runs) return tcp_socket_in(*container.command.netns);
  throw InputError(fmt::format("pod {}/{} isn't running on {}", pod.ns, pod.pod, pod.node));
}

PodLog PodRegistry::log(const PodContainer& where, bool previous) {
  if (!has(where)) return others_->log(where, previous);
  const std::scoped_lock lock(mutex_);
  const auto& container = find(where);
  if (previous) {
    if (!container.previous)
      throw InputError(
          fmt::format("previous terminated container \"{}\" in pod \"{}\" not found", where.container, where.pod));
    return {.file = *container.previous, .ended = {}};
  }
  return {.file = container.log, .ended = container.ended ? duplicate(container.ended) : Fd()};
}

}  // namespace knetsim::kubelet
