#include "knetsim/flannel/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace knetsim::flannel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

DaemonOptions options(const std::vector<std::string>& arguments) { return parse_command_line(arguments).options; }

TEST(Options, HaveFlanneldsDefaults) {
  const auto defaults = options({});
  EXPECT_EQ(defaults.etcd_prefix, "/coreos.com/network");
  EXPECT_THAT(defaults.etcd_endpoints, ElementsAre("http://127.0.0.1:4001", "http://127.0.0.1:2379"));
  EXPECT_EQ(defaults.subnet_file, "/run/flannel/subnet.env");
  EXPECT_EQ(defaults.lease_renew_margin, std::chrono::minutes(60));
  EXPECT_EQ(defaults.lease_ttl, std::chrono::hours(24));
  EXPECT_EQ(defaults.healthz_port, 0);
  EXPECT_FALSE(defaults.ip_masq);
}

TEST(Options, TakeOneDashOrTwoAndTheValueInEitherForm) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"-etcd-prefix=/a"}, {"--etcd-prefix=/a"}, {"-etcd-prefix", "/a"}, {"--etcd-prefix", "/a"}})
    EXPECT_EQ(options(arguments).etcd_prefix, "/a");
}

TEST(Options, TakeABooleanFlagAloneOrWithAValueInTheSameArgument) {
  EXPECT_TRUE(options({"-ip-masq"}).ip_masq);
  EXPECT_TRUE(options({"--ip-masq=T"}).ip_masq);
  EXPECT_FALSE(options({"-ip-masq=false"}).ip_masq);
  EXPECT_TRUE(options({"-ip-masq", "-iface", "eth0"}).ip_masq);
}

TEST(Options, CollectInterfacesInTheirOrder) {
  EXPECT_THAT(options({"-iface=eth7", "--iface", "10.0.0.3"}).interfaces, ElementsAre("eth7", "10.0.0.3"));
}

TEST(Options, SplitTheEndpointsAtCommas) {
  EXPECT_THAT(options({"-etcd-endpoints=http://a:1,http://b:2"}).etcd_endpoints,
              ElementsAre("http://a:1", "http://b:2"));
}

TEST(Options, DropATrailingSlashOfThePrefix) { EXPECT_EQ(options({"-etcd-prefix=/a/b/"}).etcd_prefix, "/a/b"); }

TEST(Options, SpellThePrefixAsGosPathDoes) {
  EXPECT_EQ(options({"-etcd-prefix=coreos.com/network"}).etcd_prefix, "coreos.com/network");
  EXPECT_EQ(options({"-etcd-prefix=//a//./b/c/../"}).etcd_prefix, "/a/b");
}

TEST(Options, ChooseTheInterfaceByPatternOrByWhatItReaches) {
  const auto chosen = options({"-iface-regex=eth.*", "--iface-regex", "^10[.]", "-iface-can-reach=10.0.0.1"});
  EXPECT_THAT(chosen.interface_patterns, ElementsAre("eth.*", "^10[.]"));
  EXPECT_EQ(chosen.interface_can_reach, parse_address("10.0.0.1"));
}

TEST(Options, OfUnitFilesAndManifestsAreTakenWithAWordWhereTheyHaveNoEffect) {
  const auto taken =
      parse_command_line({"--ip-masq", "--kube-subnet-mgr", "-iptables-resync=7", "-ip-masq-fully-random-disable",
                          "-logtostderr", "-vmodule=a=1"},
                         {"FLANNELD_KUBE_API_URL=https://k8s", "FLANNELD_NET_CONFIG_PATH=/etc/net-conf.json"})
          .options;
  EXPECT_TRUE(taken.ip_masq);
  EXPECT_FALSE(taken.masq_random_fully);
  EXPECT_THAT(taken.ineffective,
              ElementsAre(HasSubstr("-kube-subnet-mgr="), HasSubstr("-iptables-resync=\"7\" has no effect"),
                          HasSubstr("-logtostderr="), HasSubstr("-vmodule="), HasSubstr("-kube-api-url="),
                          HasSubstr("-net-config-path=")));
}

TEST(Options, TellHowToSpeakToEtcd) {
  const auto told = options({"-etcd-endpoints=https://10.0.0.1", "-etcd-cafile=/ca", "-etcd-certfile=/cert",
                             "-etcd-keyfile=/key", "-etcd-username=root", "-etcd-password=secret"});
  EXPECT_EQ(told.etcd_tls.ca, "/ca");
  EXPECT_EQ(told.etcd_tls.certificate, "/cert");
  EXPECT_EQ(told.etcd_tls.key, "/key");
  EXPECT_EQ(told.etcd_username, "root");
  EXPECT_EQ(told.etcd_password, "secret");
  EXPECT_EQ(parse_command_line(to_arguments(told)).options.etcd_password, "secret");
}

TEST(Options, NeverShowThePassword) {
  EXPECT_THAT(without_secrets({"-etcd-password=secret", "--etcd-password", "secret", "-etcd-prefix=/a"}),
              ElementsAre("-etcd-password=...", "--etcd-password", "...", "-etcd-prefix=/a"));
}

TEST(Options, AskForHelpOrTheVersion) {
  EXPECT_EQ(parse_command_line({"-version"}).request, Request::version);
  for (const auto* flag : {"--help", "-help", "-h"}) EXPECT_EQ(parse_command_line({flag}).request, Request::help);
  EXPECT_THAT(usage("flanneld"), testing::AllOf(HasSubstr("-subnet-lease-renew-margin"), HasSubstr("-iface")));
}

TEST(Options, ComeFromTheEnvironmentWhereTheFlagIsNotGiven) {
  const std::vector<std::string> environment{"FLANNELD_ETCD_PREFIX=/env", "FLANNELD_IFACE=eth3", "HOME=/root"};
  EXPECT_EQ(parse_command_line({}, environment).options.etcd_prefix, "/env");
  EXPECT_EQ(parse_command_line({"-etcd-prefix=/flag"}, environment).options.etcd_prefix, "/flag");
  EXPECT_THAT(parse_command_line({"-etcd-prefix=/flag"}, environment).options.interfaces, ElementsAre("eth3"));
}

TEST(Options, SurviveBeingWrittenAsArgumentsAndReadBack) {
  DaemonOptions wanted;
  wanted.etcd_endpoints = {"http://10.0.0.1:2379", "http://10.0.0.2:2379"};
  wanted.etcd_prefix = "/x";
  wanted.interfaces = {"eth0"};
  wanted.public_ip = parse_address("10.0.0.3");
  wanted.public_ipv6 = parse_address("fd00::3");
  wanted.subnet_file = "/tmp/knetsim/w1/subnet.env";
  wanted.ip_masq = true;
  wanted.forward_rules = false;
  wanted.lease_renew_margin = std::chrono::minutes(1);
  wanted.lease_ttl = std::chrono::seconds(90);
  wanted.healthz_ip = parse_address("127.0.0.1");
  wanted.healthz_port = 8080;
  wanted.verbosity = 2;
  wanted.etcd_tls = {.ca = "/ca", .certificate = "/cert", .key = "/key"};
  wanted.etcd_username = "root";
  wanted.etcd_password = "secret";
  wanted.interface_patterns = {"eth.*"};
  wanted.interface_can_reach = parse_address("10.0.0.1");
  wanted.masq_random_fully = false;
  const auto read = options(to_arguments(wanted));
  EXPECT_EQ(to_arguments(read), to_arguments(wanted));
  EXPECT_EQ(read.etcd_endpoints, wanted.etcd_endpoints);
  EXPECT_EQ(read.public_ipv6, wanted.public_ipv6);
  EXPECT_EQ(read.lease_ttl, wanted.lease_ttl);
  EXPECT_EQ(read.healthz_port, wanted.healthz_port);
  EXPECT_FALSE(read.forward_rules);
  EXPECT_EQ(read.etcd_tls.ca, wanted.etcd_tls.ca);
  EXPECT_EQ(read.etcd_tls.certificate, wanted.etcd_tls.certificate);
  EXPECT_EQ(read.etcd_tls.key, wanted.etcd_tls.key);
  EXPECT_EQ(read.etcd_username, wanted.etcd_username);
  EXPECT_EQ(read.etcd_password, wanted.etcd_password);
  EXPECT_EQ(read.interface_patterns, wanted.interface_patterns);
  EXPECT_EQ(read.interface_can_reach, wanted.interface_can_reach);
  EXPECT_FALSE(read.masq_random_fully);
}

TEST(Options, LeaveOutDefaultsThatOldDaemonsHaveNoFlagFor) {
  DaemonOptions plain;
  plain.interfaces = {"eth0"};
  EXPECT_THAT(to_arguments(plain),
              ElementsAre("-etcd-endpoints=http://127.0.0.1:4001,http://127.0.0.1:2379",
                          "-etcd-prefix=/coreos.com/network", "-iface=eth0", "-subnet-file=/run/flannel/subnet.env"));
}

}  // namespace
}  // namespace knetsim::flannel
