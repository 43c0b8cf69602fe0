#include "container_runtime.h"

#include <fmt/format.h>

#include <algorithm>

#include "knetsim/emulator/cluster.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/fd_events.h"
#include "kube_objects.h"

namespace knetsim {

namespace {

/// Of what it runs now; empty if nothing.
Fd end_of_program(Container& container) {
  // The prompt may end it, or start it anew, meanwhile.
  const auto process = container.has_program() ? container.program().beside() : nullptr;
  if (!process) return {};
  auto end = duplicate(process->pidfd());
  return happened(end) ? Fd() : std::move(end);
}

}  // namespace

Container& ContainerRuntime::find(const PodContainer& where) {
  for (auto* worker : cluster_->workers()) {
    if (worker->name() != where.node) continue;
    for (auto* container : worker->containers())
      if (where.ns == "default" && kube_name(container->short_name()) == where.pod &&
          container_label(where.pod) == where.container)
        return *container;
  }
  throw InputError(
      fmt::format("container {} of pod {}/{} isn't on {}", where.container, where.ns, where.pod, where.node));
}

PodProgram ContainerRuntime::start(const PodContainer& where, std::vector<std::string> argv, Streams wanted) {
  const std::scoped_lock lock(*objects_);
  auto& container = find(where);
  auto program = start_with_streams(container.command(std::move(argv)), wanted);
  program.container = container.end();
  return program;
}

PodAttachment ContainerRuntime::attach(const PodContainer& where) {
  const std::scoped_lock lock(*objects_);
  auto& container = find(where);
  auto ended = end_of_program(container);
  if (!ended)
    throw InputError(
        fmt::format("container {} runs no program that could be attached to; start one with exec", where.container));
  return {.in = {}, .log = {.file = container.log(), .ended = std::move(ended)}};
}

Fd ContainerRuntime::socket_in(const PodContainer& pod) {
  const std::scoped_lock lock(*objects_);
  auto where = pod;
  where.container = container_label(pod.pod);
  return tcp_socket_in(find(where).netns());
}

PodLog ContainerRuntime::log(const PodContainer& where, bool previous) {
  const std::scoped_lock lock(*objects_);
  auto& container = find(where);
  if (previous)
    throw InputError(
        fmt::format("previous terminated container \"{}\" in pod \"{}\" not found", where.container, where.pod));
  return {.file = container.log(), .ended = container.has_program() ? end_of_program(container) : container.end()};
}

}  // namespace knetsim
