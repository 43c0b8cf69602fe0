#include "options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "knetsim/sys/error.h"
#include "measures.h"

namespace knetsim::kubeproxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DaemonCommandLines, SayWhatKubeProxysSay) {
  const auto options = parse_daemon_command_line({"--master=http://[::1]:8002/", "--hostname-override=c0w1",
                                                  "--cluster-cidr=11.0.0.0/8,fd11::/48", "--masquerade-all",
                                                  "--nodeport-addresses", "10.0.0.0/8", "--healthz-bind-address=none",
                                                  "--no-allow-service-external-ips", "--metrics-bind-address=:1234"})
                           .options;
  EXPECT_EQ(options.access.server.port(), 8002);
  EXPECT_TRUE(options.access.server.address().is_v6());
  EXPECT_EQ(options.node, "c0w1");
  EXPECT_THAT(options.cluster_networks, ElementsAre(parse_network("11.0.0.0/8"), parse_network("fd11::/48")));
  EXPECT_EQ(options.detection, LocalDetection::cluster_cidr);
  EXPECT_THAT(options.node_port_networks, ElementsAre(parse_network("10.0.0.0/8")));
  EXPECT_TRUE(options.masquerade_all);
  EXPECT_FALSE(options.external_ips);
  EXPECT_FALSE(options.healthz);
  EXPECT_EQ(options.metrics->port(), 1234);
  EXPECT_EQ(parse_daemon_command_line({}).options.detection, LocalDetection::none) << "no network, nobody is local";
}

TEST(DaemonCommandLines, NonsenseIsRefusedByFlagAndValue) {
  for (const auto& [argument, value] : {std::pair{"--master=https://1.2.3.4:1", "https://1.2.3.4:1"},
                                        {"--master=http://1.2.3.4", "http://1.2.3.4"},
                                        {"--cluster-cidr=11.0.0.0/99", "11.0.0.0/99"},
                                        {"--nodeport-addresses=x", "x"},
                                        {"--healthz-bind-address=1.2.3.4:99999", "1.2.3.4:99999"},
                                        {"--proxy-mode=iptables", "iptables"},
                                        {"--detect-local-mode=BridgeInterface", "--pod-bridge-interface"},
                                        {"--nope", "nope"}}) {
    try {
      (void)parse_daemon_command_line({argument});
      ADD_FAILURE() << argument << " is accepted";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(value));
    }
  }
}

TEST(KubeProxyMeasures, AreCountedInUpstreamsBuckets) {
  Measures measures;
  measures.syncs.add(0.0005);
  measures.syncs.add(0.003);
  measures.syncs.add(100);
  const auto text = measures.text();
  EXPECT_THAT(text, HasSubstr("kubeproxy_sync_proxy_rules_duration_seconds_bucket{le=\"0.001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kubeproxy_sync_proxy_rules_duration_seconds_bucket{le=\"0.004\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kubeproxy_sync_proxy_rules_duration_seconds_bucket{le=\"16.384\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kubeproxy_sync_proxy_rules_duration_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("kubeproxy_sync_proxy_rules_duration_seconds_count 3\n"));
}

}  // namespace
}  // namespace knetsim::kubeproxy
