#pragma once

#include <string>
#include <string_view>

namespace knetsim::sandbox {

/// Binds kHostsFile, with localhost alone in it, over /etc/hosts. Without such a file on the host there is nothing to
/// bind it over. Call after mount_fresh().
void mount_hosts();
/// Takes that away; call before /run goes.
void unmount_hosts() noexcept;

/// Makes programs look into /etc/hosts before anything else, whatever the host's /etc/nsswitch.conf says; for good.
/// Call after mount_fresh().
void ask_hosts_first();
/// This nsswitch.conf(5) with that changed; empty if it is so already.
std::string with_hosts_first(std::string_view configuration);

}  // namespace knetsim::sandbox
