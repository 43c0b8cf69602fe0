#include "knetsim/apiserver/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "knetsim/etcd/client.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"

namespace knetsim::apiserver {

namespace {

InputError refused(std::string_view flag, std::string_view value, std::string_view why) {
  return InputError(fmt::format("invalid value {} for {}: {}", excerpt(value), flag, why));
}

std::uint16_t port_of(std::string_view flag, std::string_view whole, std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (code != std::errc{} || end != text.data() + text.size()) throw refused(flag, whole, "give ports from 0 to 65535");
  return port;
}

Address address_of(std::string_view flag, std::string_view whole, std::string_view text) {
  try {
    return parse_address(text);
  } catch (const InputError&) {
    throw refused(flag, whole, "give an IP address");
  }
}

void set_listen(ServerOptions& options, std::string_view value) {
  const auto colon = value.rfind(':');
  if (colon == std::string_view::npos) throw refused("--listen", value, "give HOST:PORT, as in 127.0.0.1:8001");
  auto host = value.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  options.listen_address = address_of("--listen", value, host);
  options.listen_port = port_of("--listen", value, value.substr(colon + 1));
}

void set_ranges(kube::ServiceRanges& ranges, std::string_view value) {
  constexpr std::string_view kFlag = "--service-cluster-ip-range";
  bool first = true;
  while (!value.empty()) {
    const auto end = std::min(value.find(','), value.size());
    const auto text = value.substr(0, end);
    value.remove_prefix(std::min(end + 1, value.size()));
    Network network;
    try {
      network = canonical(parse_network(text));
    } catch (const InputError&) {
      throw refused(kFlag, text, "give a range such as 10.96.0.0/16, or two of different families");
    }
    constexpr unsigned kNarrowest = 2;  // bits: kubernetes' own address and one more
    const unsigned bits = (is_v6(network) ? 128 : 32) - prefix_length(network);
    if (bits < kNarrowest) throw refused(kFlag, text, "it is too small");
    if (is_v6(network) == first) throw refused(kFlag, text, "give an IPv4 range, then, if you want two, an IPv6 one");
    if (first)
      ranges.ipv4 = std::get<boost::asio::ip::network_v4>(network);
    else
      ranges.ipv6 = std::get<boost::asio::ip::network_v6>(network);
    first = false;
  }
  if (first) throw refused(kFlag, value, "give a range such as 10.96.0.0/16");
}

void set_node_ports(kube::ServiceRanges& ranges, std::string_view value) {
  constexpr std::string_view kFlag = "--service-node-port-range";
  const auto dash = value.find('-');
  if (dash == std::string_view::npos) throw refused(kFlag, value, "give a range such as 30000-32767");
  ranges.first_node_port = port_of(kFlag, value, value.substr(0, dash));
  ranges.last_node_port = port_of(kFlag, value, value.substr(dash + 1));
  if (ranges.first_node_port == 0 || ranges.last_node_port < ranges.first_node_port)
    throw refused(kFlag, value, "give a range such as 30000-32767");
}

std::string ranges_text(const kube::ServiceRanges& ranges) {
  auto text = ranges.ipv4.to_string();
  return ranges.ipv6 ? text + "," + ranges.ipv6->to_string() : text;
}

}  // namespace

ServerCommandLine parse_server_command_line(const std::vector<std::string>& arguments) {
  ServerCommandLine line;
  auto& options = line.options;
  CLI::App app("knetsim-apiserver: the Kubernetes API over etcd, for networking labs", "knetsim-apiserver");
  std::string etcd;
  std::string listen;
  std::string ranges;
  std::string node_ports;
  std::string advertise;
  std::string bind;
  bool version = false;
  auto request_timeout = options.request_timeout.count();
  app.add_option("--etcd-servers", etcd, "etcd's endpoints, separated by commas (http://127.0.0.1:2379)");
  app.add_option("--listen", listen, "HOST:PORT to serve plain HTTP on (127.0.0.1:8001)");
  app.add_option("--listen-fd", options.listen_fd, "an inherited socket that listens already, in place of --listen")
      ->check(CLI::Range(3, 1'000'000));
  app.add_option("--service-cluster-ip-range", ranges,
                 "where cluster IPs come from; an IPv4 range and, after a comma, an IPv6 one (10.96.0.0/16)");
  app.add_option("--service-node-port-range", node_ports, "where node ports come from (30000-32767)");
  app.add_option("--advertise-address", advertise, "address that the Service kubernetes leads to (none)");
  app.add_option("--bind-address", bind, "address to serve HTTPS on, with --tls-cert-file (0.0.0.0)");
  app.add_option("--secure-port", options.secure_port, "port of HTTPS, and of the Service kubernetes (6443)");
  app.add_option("--secure-listen-fd", options.secure_listen_fds,
                 "an inherited socket that listens already, to serve HTTPS on as well; more than one may be given")
      ->check(CLI::Range(3, 1'000'000));
  app.add_option("--tls-cert-file", options.tls_cert_file, "the server's certificate in PEM (none: no HTTPS)");
  app.add_option("--tls-private-key-file", options.tls_key_file, "its key");
  app.add_option("--client-ca-file", options.client_ca_file,
                 "over HTTPS, whoever shows a certificate of this authority may do everything");
  app.add_option("--token-auth-file", options.token_auth_file,
                 "over HTTPS, whoever shows one of its tokens, too; lines TOKEN,USER,UID");
  app.add_option("--service-account-signing-key-file", options.service_account_key_file,
                 "key on P-256 that signs service accounts' tokens (none: there are no tokens)");
  app.add_option("--kubelet-client-certificate", options.kubelet_client_certificate,
                 "certificate in PEM that kubelets are shown (none)");
  app.add_option("--kubelet-client-key", options.kubelet_client_key, "its key");
  app.add_option("--kubelet-certificate-authority", options.kubelet_certificate_authority,
                 "whose certificate a kubelet must show (none: anybody's will do)");
  app.add_option("--watch-window", options.watch_window, "changes of each kind that a watch can go back to (4096)")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--max-connections", options.max_connections, "more are answered with 429 (16384)")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--request-timeout", request_timeout,
                 "seconds for a request to come in, and for each piece of an answer to be taken (30)")
      ->check(CLI::Range(1, 3'600));
  app.add_option("-v,--v", options.verbosity, "1: log every request (0)")->check(CLI::Range(0, 10));
  app.add_flag("--version", version, "print the version");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    line.request = ServerRequest::help;
    line.text = app.help();
    return line;
  } catch (const CLI::ParseError& error) {
    throw InputError(fmt::format("{}\n  remedy: knetsim-apiserver --help lists what there is", error.what()));
  }
  if (version) {
    line.request = ServerRequest::version;
    line.text = "knetsim-apiserver " KNETSIM_VERSION "\n";
    return line;
  }
  options.request_timeout = std::chrono::seconds(request_timeout);
  if (!etcd.empty()) options.etcd_servers = etcd::parse_endpoints(etcd);
  if (!listen.empty()) set_listen(options, listen);
  if (!ranges.empty()) set_ranges(options.ranges, ranges);
  if (!node_ports.empty()) set_node_ports(options.ranges, node_ports);
  if (!bind.empty()) options.bind_address = address_of("--bind-address", bind, bind);
  if (options.tls_cert_file.empty() != options.tls_key_file.empty())
    throw InputError("--tls-cert-file and --tls-private-key-file go together: give both, or none");
  if (options.kubelet_client_certificate.empty() != options.kubelet_client_key.empty())
    throw InputError("--kubelet-client-certificate and --kubelet-client-key go together: give both, or none");
  if (!options.secure_listen_fds.empty() && options.tls_cert_file.empty())
    throw InputError("--secure-listen-fd serves HTTPS: give --tls-cert-file, too");
  if (!advertise.empty()) {
    options.advertise_address = address_of("--advertise-address", advertise, advertise);
    if (options.advertise_address->is_loopback() || options.advertise_address->is_unspecified())
      throw refused("--advertise-address", advertise, "give an address that pods can reach");
  }
  return line;
}

std::vector<std::string> to_arguments(const ServerOptions& options) {
  const ServerOptions defaults;
  const auto host = options.listen_address.is_v6() ? fmt::format("[{}]", options.listen_address.to_string())
                                                   : options.listen_address.to_string();
  std::vector<std::string> arguments{
      fmt::format("--etcd-servers={}", fmt::join(options.etcd_servers, ",")),
      fmt::format("--listen={}:{}", host, options.listen_port),
      fmt::format("--service-cluster-ip-range={}", ranges_text(options.ranges)),
      fmt::format("--service-node-port-range={}-{}", options.ranges.first_node_port, options.ranges.last_node_port),
      fmt::format("--secure-port={}", options.secure_port)};
  if (options.listen_fd) arguments.push_back(fmt::format("--listen-fd={}", *options.listen_fd));
  const auto add_file = [&](const char* flag, const std::filesystem::path& file) {
    if (!file.empty()) arguments.push_back(fmt::format("{}={}", flag, file.string()));
  };
  add_file("--tls-cert-file", options.tls_cert_file);
  add_file("--tls-private-key-file", options.tls_key_file);
  add_file("--client-ca-file", options.client_ca_file);
  add_file("--token-auth-file", options.token_auth_file);
  add_file("--service-account-signing-key-file", options.service_account_key_file);
  add_file("--kubelet-client-certificate", options.kubelet_client_certificate);
  add_file("--kubelet-client-key", options.kubelet_client_key);
  add_file("--kubelet-certificate-authority", options.kubelet_certificate_authority);
  if (options.bind_address != defaults.bind_address)
    arguments.push_back(fmt::format("--bind-address={}", options.bind_address.to_string()));
  for (const int fd : options.secure_listen_fds) arguments.push_back(fmt::format("--secure-listen-fd={}", fd));
  if (options.advertise_address)
    arguments.push_back(fmt::format("--advertise-address={}", options.advertise_address->to_string()));
  if (options.watch_window != defaults.watch_window)
    arguments.push_back(fmt::format("--watch-window={}", options.watch_window));
  if (options.max_connections != defaults.max_connections)
    arguments.push_back(fmt::format("--max-connections={}", options.max_connections));
  if (options.request_timeout != defaults.request_timeout)
    arguments.push_back(fmt::format("--request-timeout={}", options.request_timeout.count()));
  if (options.verbosity != 0) arguments.push_back(fmt::format("--v={}", options.verbosity));
  return arguments;
}

}  // namespace knetsim::apiserver
