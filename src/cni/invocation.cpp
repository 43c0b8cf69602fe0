#include "invocation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <regex>
#include <utility>

#include "knetsim/cni/find_plugin.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/text.h"

namespace knetsim::cni {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Enough of a plugin's output to recognise what it was, not a screenful.
constexpr std::size_t kLongestExcerpt = 300;

constexpr std::array<std::string_view, 16> kDebianPlugins{
    "bandwidth", "bridge",  "dhcp", "firewall", "host-device", "host-local", "ipvlan", "loopback",
    "macvlan",   "portmap", "ptp",  "sbr",      "static",      "tuning",     "vlan",   "vrf"};

std::string joined(const std::vector<fs::path>& directories) {
  std::string text;
  for (const auto& directory : directories) text += (text.empty() ? "" : ":") + directory.string();
  return text;
}

fs::path locate(const RuntimeOptions& options, Verb verb, const Attachment& attachment, const std::string& type) {
  const auto found = find_plugin(type, options.search_path);
  if (!found) {
    const bool debian = std::find(kDebianPlugins.begin(), kDebianPlugins.end(), type) != kDebianPlugins.end();
    throw make_error(options.node, verb, attachment, "the plugin " + type,
                     {.code = kInvalidConfig, .message = "it isn't in " + joined(options.search_path)},
                     debian ? "apt-get install containernetworking-plugins" : "put its directory on CNI_PATH");
  }
  if (::access(found->c_str(), X_OK) != 0)
    throw make_error(options.node, verb, attachment, "the plugin " + type,
                     {.code = kIoFailure, .message = found->string() + " isn't executable"},
                     "chmod +x " + found->string());
  return *found;
}

Failure read_failure(const ExecResult& answer) {
  const auto document = json::parse(answer.out, nullptr, false);
  if (document.is_object() && document.contains("msg")) {
    const auto text = [&](const char* key) {
      const auto found = document.find(key);
      return found != document.end() && found->is_string() ? found->get<std::string>() : std::string{};
    };
    const auto code = document.find("code");
    return {.code = code != document.end() && code->is_number_unsigned() ? code->get<unsigned>() : kGenericFailure,
            .message = text("msg"),
            .details = text("details")};
  }
  return {.code = kGenericFailure,
          .message = fmt::format("it ended with {} and no CNI error on stdout, which holds {}; stderr holds {}",
                                 answer.status.describe(), excerpt(answer.out, kLongestExcerpt),
                                 excerpt(answer.err, kLongestExcerpt))};
}

std::string remedy_for(const Failure& failure) {
  if (failure.code == kIncompatibleVersion) return "choose a cniVersion that the plugin supports";
  if (failure.code == kTryAgainLater) return "try again later";
  if (failure.message.find("no IP addresses available") != std::string::npos)
    return "delete containers, or give the worker a larger subnet (SubnetLen of the flannel config)";
  return {};
}

}  // namespace

std::string to_string(Verb verb) {
  switch (verb) {
    case Verb::add:
      return "ADD";
    case Verb::del:
      return "DEL";
    case Verb::check:
      return "CHECK";
    case Verb::version:
      break;
  }
  return "VERSION";
}

Error make_error(const std::string& node, Verb verb, const Attachment& attachment, const std::string& who,
                 const Failure& failure, const std::string& remedy) {
  auto answer = fmt::format("code {}: {}", failure.code, failure.message);
  if (!failure.details.empty()) answer += "; " + failure.details;
  const auto what = verb == Verb::version ? fmt::format("ask {} for its VERSION", who)
                                          : fmt::format("{} container {} ({}) with {}", to_string(verb),
                                                        attachment.container_id, attachment.ifname, who);
  return Error(
      {.where = node, .tried = what, .answer = answer, .remedy = remedy.empty() ? remedy_for(failure) : remedy},
      failure);
}

void validate(const Attachment& attachment) {
  static const std::regex id("[a-zA-Z0-9][a-zA-Z0-9_.-]*");
  if (!std::regex_match(attachment.container_id, id))
    throw InputError(
        fmt::format("\"{}\" isn't a container id: use letters, digits, '_', '.' and '-', a letter or digit "
                    "first (CNI 1.0.0, CNI_CONTAINERID)",
                    attachment.container_id));
  const auto& name = attachment.ifname;
  const bool bad = name.empty() || name.size() > 15 || name == "." || name == ".." ||
                   name.find_first_of("/: \t\n\v\f\r") != std::string::npos;
  if (bad)
    throw InputError(
        fmt::format("\"{}\" isn't an interface name: at most 15 characters, no '/', ':' or space (CNI "
                    "1.0.0, CNI_IFNAME)",
                    name));
}

json invoke(const NetNs& worker, const RuntimeOptions& options, Verb verb, const Attachment& attachment,
            const std::string& type, const json& config) {
  const auto program = locate(options, verb, attachment, type);
  const auto who = "the plugin " + type;
  Command command{.argv = {program.string()},
                  .netns = &worker,
                  .directory = options.directory,
                  .environment = {{"CNI_COMMAND", to_string(verb)},
                                  {"CNI_CONTAINERID", attachment.container_id},
                                  {"CNI_NETNS", attachment.netns},
                                  {"CNI_IFNAME", attachment.ifname},
                                  {"CNI_ARGS", ""},
                                  {"CNI_PATH", joined(options.search_path)}}};
  const auto answer = [&] {
    try {
      return exec(command, options.timeout, config.dump());
    } catch (const knetsim::Error& error) {
      throw make_error(options.node, verb, attachment, who, {.code = kIoFailure, .message = error.what()});
    }
  }();
  if (answer.timed_out)
    throw make_error(options.node, verb, attachment, who,
                     {.code = kGenericFailure,
                      .message = fmt::format("no answer within {} s; stderr holds {}",
                                             static_cast<double>(options.timeout.count()) / 1000,
                                             excerpt(answer.err, kLongestExcerpt))});
  if (!answer.status.success()) throw make_error(options.node, verb, attachment, who, read_failure(answer));
  if (verb == Verb::del || verb == Verb::check) return nullptr;
  auto document = json::parse(answer.out, nullptr, false);
  if (!document.is_object())
    throw make_error(options.node, verb, attachment, who,
                     {.code = kUndecodable,
                      .message = fmt::format("its stdout isn't JSON: {}", excerpt(answer.out, kLongestExcerpt))},
                     "print nothing but the result on stdout; logs belong on stderr");
  return document;
}

}  // namespace knetsim::cni
