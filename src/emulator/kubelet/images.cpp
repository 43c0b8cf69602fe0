#include "images.h"

#include <algorithm>
#include <cctype>

namespace knetsim::kubelet {

namespace {

// A process of one user, as a container's nginx has no other to become. All that it writes lies beside its file.
constexpr std::string_view kNginxConf = R"(daemon off;
master_process off;
pid {image}/nginx.pid;
error_log stderr;
events { }
http {
  access_log off;
  default_type text/html;
  types { text/html html; text/css css; application/javascript js; application/json json; text/plain txt; }
  client_body_temp_path {image}/tmp;
  proxy_temp_path {image}/tmp;
  fastcgi_temp_path {image}/tmp;
  uwsgi_temp_path {image}/tmp;
  scgi_temp_path {image}/tmp;
  include /etc/nginx/conf.d/*.conf;
}
)";
constexpr std::string_view kNginxServer =
    "server { listen 80; listen [::]:80; root /usr/share/nginx/html; index index.html; }\n";
constexpr std::string_view kNginxPage =
    "<!DOCTYPE html>\n<html><head><title>Welcome to nginx!</title></head>\n<body><h1>Welcome to "
    "nginx!</h1></body></html>\n";

Image agnhost(std::vector<std::string> command) {
  return {.entrypoint = {std::string(kAgnhost)}, .command = std::move(command)};
}
Image shell(std::string name) { return {.command = {std::move(name)}, .applets = true}; }
Image program(std::string name, std::vector<std::string> command = {}) {
  return {.entrypoint = {std::move(name)}, .command = std::move(command)};
}

// Each as its Dockerfile has it. In the order of their names.
const std::map<std::string, Image, std::less<>>& images() {
  static const std::map<std::string, Image, std::less<>> all{
      {"agnhost", agnhost({"pause"})},
      {"alpine", shell("/bin/sh")},
      {"bash", shell("bash")},
      {"busybox", shell("sh")},
      {"curl", program("curl")},
      {"debian", shell("bash")},
      {"dnsutils", {.command = {"sleep", "infinity"}, .applets = true}},
      {"iperf3", program("iperf3")},
      {"netshoot", shell("bash")},
      {"network-multitool", {.command = {"sleep", "infinity"}, .applets = true}},
      {"nginx",
       {.command = {"nginx"},
        .program = "nginx",
        .inserted = {"-p", "{image}", "-c", "{image}/nginx.conf"},
        .files = {{"nginx.conf", std::string(kNginxConf)},
                  {"conf.d/default.conf", std::string(kNginxServer)},
                  {"html/index.html", std::string(kNginxPage)},
                  {"tmp/README", "temporary files of nginx\n"}},
        .places = {{"conf.d", "/etc/nginx/conf.d"}, {"html", "/usr/share/nginx/html"}}}},
      {"pause", agnhost({"pause"})},
      {"python", {.command = {"python3"}, .applets = true}},
      {"serve-hostname", agnhost({"serve-hostname"})},
      {"serve_hostname", agnhost({"serve-hostname"})},
      {"ubuntu", shell("bash")},
  };
  return all;
}

bool fits_into_a_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' || c == '/' || c == ':';
}

}  // namespace

std::string image_name(std::string_view reference) {
  auto path = reference.substr(0, reference.find('@'));
  if (path.empty() || !std::all_of(path.begin(), path.end(), fits_into_a_name)) return {};
  if (const auto slash = path.rfind('/'); slash != std::string_view::npos) path.remove_prefix(slash + 1);
  return std::string(path.substr(0, path.find(':')));
}

const Image* find_image(std::string_view reference) {
  const auto found = images().find(image_name(reference));
  return found == images().end() ? nullptr : &found->second;
}

std::vector<std::string> known_images() {
  std::vector<std::string> names;
  for (const auto& [name, image] : images()) names.push_back(name);
  return names;
}

std::vector<std::string> argv_of(const Image& image, const std::vector<std::string>& command,
                                 const std::vector<std::string>& args) {
  auto argv = command.empty() ? image.entrypoint : command;
  // As with containerd: a command without args drops the image's CMD too.
  const auto& rest = !args.empty() || !command.empty() ? args : image.command;
  argv.insert(argv.end(), rest.begin(), rest.end());
  if (!argv.empty() && image.entrypoint.size() == 1 && image.entrypoint.front() == kAgnhost &&
      (argv.front() == "/agnhost" || argv.front() == "agnhost"))
    argv.front() = kAgnhost;
  if (!argv.empty() && !image.program.empty() && argv.front() == image.program)
    argv.insert(argv.begin() + 1, image.inserted.begin(), image.inserted.end());
  return argv;
}

}  // namespace knetsim::kubelet
