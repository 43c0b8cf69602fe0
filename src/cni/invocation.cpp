#include "invocation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "knetsim/cni/specification.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/text.h"

namespace knetsim::cni {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Enough of a plugin's output to recognise what it was, not a screenful.
constexpr std::size_t kLongestExcerpt = 300;
constexpr std::size_t kLongestMessage = 4000;

// Of a plugin's stdout and of its stderr. A result of a thousand addresses has 100 kB.
constexpr std::size_t kLongestAnswer = 1UL << 20;

constexpr std::array<std::string_view, 16> kDebianPlugins{
    "bandwidth", "bridge",  "dhcp", "firewall", "host-device", "host-local", "ipvlan", "loopback",
    "macvlan",   "portmap", "ptp",  "sbr",      "static",      "tuning",     "vlan",   "vrf"};

std::string joined(const std::vector<fs::path>& directories) {
  std::string text;
  for (const auto& directory : directories) text += (text.empty() ? "" : ":") + directory.string();
  return text;
}

fs::path locate(const RuntimeOptions& options, Verb verb, const Attachment& attachment, const std::string& type) {
  const auto found = find_file(type, options.search_path);
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

// An empty one if the text is something else.
json object_in(const std::string& text) {
  try {
    auto document = parse_json(text, {.size = kLongestAnswer});
    if (document.is_object()) return document;
  } catch (const InputError&) {
    // Whoever asks shows the text.
  }
  return json::object();
}

Failure read_failure(const ExecResult& answer) {
  const auto document = object_in(answer.out);
  if (document.contains("msg")) {
    const auto text = [&](const char* key) {
      const auto found = document.find(key);
      return found != document.end() && found->is_string() ? found->get<std::string>() : std::string{};
    };
    const auto code = document.find("code");
    return {.code = code != document.end() && code->is_number_unsigned() ? code->get<unsigned>() : kGenericFailure,
            .message = text("msg").substr(0, kLongestMessage),
            .details = text("details").substr(0, kLongestMessage)};
  }
  return {.code = kGenericFailure,
          .message = fmt::format("it ended with {} and no CNI error on stdout, which holds {}; stderr holds {}",
                                 answer.status.describe(), excerpt(answer.out, kLongestExcerpt),
                                 excerpt(answer.err, kLongestExcerpt))};
}

std::string remedy_for(const Failure& failure) {
  if (failure.code == kIncompatibleVersion) return "choose a cniVersion that the plugin supports";
  if (failure.code == kTryAgainLater) return "try again later";
  if (failure.code == kNotAvailable || failure.code == kLimitedConnectivity)
    return "see what the plugin waits for; it can't connect containers until then";
  if (failure.message.find("no IP addresses available") != std::string::npos)
    return "delete containers, or give the worker a larger subnet (SubnetLen of the flannel config)";
  return {};
}

bool is_about_one(Verb verb) { return verb == Verb::add || verb == Verb::del || verb == Verb::check; }

std::string args_of(const Attachment& attachment) {
  std::string text;
  for (const auto& [key, value] : attachment.args) text += (text.empty() ? "" : ";") + key + "=" + value;
  return text;
}

}  // namespace

std::string to_string(Verb verb) {
  constexpr std::array<const char*, 6> kVerbs{"ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION"};
  return kVerbs.at(static_cast<std::size_t>(verb));
}

Error make_error(const std::string& node, Verb verb, const Attachment& attachment, const std::string& who,
                 const Failure& failure, const std::string& remedy) {
  auto answer = fmt::format("code {}: {}", failure.code, failure.message);
  if (!failure.details.empty()) answer += "; " + failure.details;
  const auto what = is_about_one(verb) ? fmt::format("{} container {} ({}) with {}", to_string(verb),
                                                     attachment.container_id, attachment.ifname, who)
                    : verb == Verb::gc ? fmt::format("GC with {}", who)
                                       : fmt::format("ask {} for its {}", who, to_string(verb));
  return Error(
      {.where = node, .tried = what, .answer = answer, .remedy = remedy.empty() ? remedy_for(failure) : remedy},
      failure);
}

Error no_check(const std::string& node, const Attachment& attachment, const std::string& network,
               const std::string& version) {
  return make_error(node, Verb::check, attachment, "network " + network,
                    {.code = kIncompatibleVersion, .message = "CHECK isn't part of CNI " + version},
                    "use cniVersion 0.4.0 or later");
}

void validate(const Attachment& attachment) {
  if (!is_identifier(attachment.container_id))
    throw InputError(
        fmt::format("{} isn't a container id: use letters, digits, '_', '.' and '-', a letter or digit "
                    "first (CNI 1.1.0, CNI_CONTAINERID)",
                    excerpt(attachment.container_id)));
  if (!is_interface_name(attachment.ifname))
    throw InputError(
        fmt::format("{} isn't an interface name: at most 15 characters, no '/', ':' or space (CNI "
                    "1.1.0, CNI_IFNAME)",
                    excerpt(attachment.ifname)));
  for (const auto& [key, value] : attachment.args)
    if (key.empty() || key.find_first_of("=;") != std::string::npos || value.find(';') != std::string::npos)
      throw InputError(fmt::format("{}={} can't stand in CNI_ARGS: its pairs are KEY=VALUE;KEY=VALUE", excerpt(key),
                                   excerpt(value)));
}

json invoke(const NetNs& worker, const RuntimeOptions& options, Verb verb, const Attachment& attachment,
            const std::string& type, const json& config) {
  const auto program = locate(options, verb, attachment, type);
  const auto who = "the plugin " + type;
  // What this process was itself given by a runtime isn't the plugin's.
  Command command{.argv = {program.string()},
                  .netns = &worker,
                  .directory = options.directory,
                  .environment = {{"CNI_COMMAND", to_string(verb)}, {"CNI_PATH", joined(options.search_path)}},
                  .withheld = {"CNI_"}};
  if (is_about_one(verb)) {
    command.environment["CNI_CONTAINERID"] = attachment.container_id;
    command.environment["CNI_NETNS"] = attachment.netns;
    command.environment["CNI_IFNAME"] = attachment.ifname;
    command.environment["CNI_ARGS"] = args_of(attachment);
  }
  const auto answer = [&] {
    try {
      return exec(command, options.timeout, config.dump(), kLongestAnswer);
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
  if (verb != Verb::add && verb != Verb::version) return nullptr;
  auto document = object_in(answer.out);
  if (document.empty())
    throw make_error(
        options.node, verb, attachment, who,
        {.code = kUndecodable,
         .message = fmt::format("its stdout isn't a JSON object{}: {}",
                                answer.truncated ? fmt::format(" of at most {} bytes", kLongestAnswer) : "",
                                excerpt(answer.out, kLongestExcerpt))},
        "print nothing but the result on stdout; logs belong on stderr");
  return document;
}

}  // namespace knetsim::cni
