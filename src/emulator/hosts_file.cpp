#include "knetsim/emulator/hosts_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {

HostsFile::HostsFile(std::string first_cluster)
    : names_(std::move(first_cluster)), file_(::open(kHostsFile, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC)) {
  if (!file_) throw SystemError("write the sandbox's names", kHostsFile);
}

void HostsFile::add_nodes(const std::vector<Node*>& nodes) {
  const std::scoped_lock lock(mutex_);
  std::vector<std::pair<std::string, std::vector<Address>>> named;
  for (const auto* node : nodes) named.emplace_back(node->name(), node->addresses());
  names_.add_nodes(named);
  write();
}

void HostsFile::add_container(const std::string& cluster, const Node& container) {
  const std::scoped_lock lock(mutex_);
  names_.add_container(cluster, container.name(), container.addresses());
  write();
}

void HostsFile::remove(const Node& container) {
  const std::scoped_lock lock(mutex_);
  names_.remove(container.name());
  write();
}

std::optional<std::string> HostsFile::find(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  return names_.find(name);
}

// In place, since the file is mounted where programs look for it. Blanks take the place of what goes, until it is cut
// off: at no moment does a reader see half a line that wasn't there.
void HostsFile::write() {
  auto text = kLocalHosts + names_.hosts();
  const auto size = text.size();
  text.resize(std::max(size, size_), '\n');
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::pwrite(file_.get(), text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (count < 0) throw SystemError("write the sandbox's names", kHostsFile);
    done += static_cast<std::size_t>(count);
  }
  if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) throw SystemError("cut off", kHostsFile);
  size_ = size;
}

}  // namespace knetsim
