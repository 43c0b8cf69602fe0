// What a Service has to do with a loss: without an API.
#include "services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace knetsim::explain {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const Address kClusterIp = parse_address("10.96.0.5");
const Address kEndpoint = parse_address("11.2.0.2");

struct Asked {
  KnownService service{.name = "shop/web",
                       .addresses = {kClusterIp},
                       .ports = {{.name = "http", .port = 80, .node_port = 30'080, .target_port = "8080"}},
                       .selector = "app=web",
                       .pods = 3,
                       .slices = {"web-x"}};
  Question question{.from = "w1/c1", .to = kClusterIp, .to_name = {}, .protocol = Protocol::tcp, .port = 80};
  Cause cause{.disposition = Disposition::dropped_by_rule, .place = "w1", .sentence = "a rule", .object = "kube-proxy"};
  PlaceFacts there;

  const Cause& dropped_in(const char* chain) {
    const Step step{.chain = {{nft::Family::ip, "kube-proxy"}, chain}, .verdict = {nft::Verdict::Kind::drop, {}}};
    tell_of_service(cause, &service, question, &step, there);
    return cause;
  }
};

TEST(AService, WithoutEndpointsSaysWhy) {
  const auto told = [](const auto& change) {
    Asked asked;
    asked.cause.disposition = Disposition::no_endpoint;
    change(asked.service);
    return asked.dropped_in("service-endpoints-check");
  };
  const auto nobody = told([](KnownService&) {});
  EXPECT_EQ(nobody.sentence, "Service shop/web, port 80 (http) has no endpoint that is ready");
  EXPECT_THAT(nobody.object, HasSubstr("its selector app=web matches 0 of 3 pods"));
  EXPECT_EQ(nobody.remedy, "kubectl get endpointslices -n shop -l kubernetes.io/service-name=web");
  EXPECT_THAT(told([](KnownService& one) {
                one.endpoints = {{kEndpoint, 8080, false}};
              }).object,
              HasSubstr("EndpointSlice web-x has 1 endpoint, and none is ready: 11.2.0.2"));
  EXPECT_THAT(told([](KnownService& one) {
                one.selector = "";
                one.slices = {};
              }).object,
              HasSubstr("no selector, and nobody has made an EndpointSlice"));
  EXPECT_THAT(told([](KnownService& one) { one.context = "--context C1 "; }).remedy,
              HasSubstr("kubectl --context C1 get"));
}

TEST(AService, IsServedWhereItsPolicySays) {
  Asked asked;
  asked.cause.disposition = Disposition::local_policy_no_endpoint;
  asked.service.endpoints = {{kEndpoint, 8080, true, "w2"}};
  const auto inside = asked.dropped_in("service-endpoints-check");
  EXPECT_THAT(inside.sentence, HasSubstr("and w1 has none"));
  EXPECT_THAT(inside.object, HasSubstr("its endpoints are on w2"));
  EXPECT_EQ(inside.remedy, R"(kubectl patch service web -n shop -p '{"spec":{"internalTrafficPolicy":"Cluster"}}')");
  asked.question.to = parse_address("10.0.0.3");
  asked.question.port = 30'080;
  EXPECT_THAT(asked.dropped_in("service-endpoints-check").remedy, HasSubstr("externalTrafficPolicy"));
}

TEST(AService, NamesItsSourceRanges) {
  Asked asked;
  asked.service.source_ranges = {parse_network("9.9.9.0/24")};
  const auto cause = asked.dropped_in("firewall-check");
  EXPECT_THAT(cause.sentence, HasSubstr("loadBalancerSourceRanges of Service shop/web"));
  EXPECT_THAT(cause.object, HasSubstr("9.9.9.0/24"));
}

TEST(AService, NamesThePortsThatItHas) {
  Asked asked;
  asked.question.port = 81;
  EXPECT_EQ(asked.dropped_in("cluster-ips-check").sentence,
            "Service shop/web has no port tcp 81: it has tcp 80 (http)");
  Asked pinged;
  pinged.question.protocol = Protocol::icmp;
  pinged.question.port = 0;
  const auto cause = pinged.dropped_in("cluster-ips-check");
  EXPECT_THAT(cause.sentence, HasSubstr("answers no echoes"));
  EXPECT_EQ(cause.remedy, "explain w1/c1 10.96.0.5:80/tcp");
}

TEST(AService, ThatTheProxyHasntWrittenIsTheProxys) {
  Asked asked;
  EXPECT_THAT(asked.dropped_in("cluster-ips-check").object, HasSubstr("kube-proxy of w1, which runs, but lags"));
  Asked dead;
  dead.there.ended = {"kube-proxy: killed by SIGKILL"};
  const auto cause = dead.dropped_in("cluster-ips-check");
  EXPECT_EQ(cause.sentence, "its kube-proxy hasn't written Service shop/web, port 80 (http)");
  EXPECT_THAT(cause.object, HasSubstr("killed by SIGKILL"));
  EXPECT_EQ(cause.remedy, "restart w1 kube-proxy");
}

TEST(AService, ThatNobodyIsIsSaid) {
  Cause cause;
  const Question question{.from = "w1", .to = parse_address("10.96.0.77"), .to_name = {}};
  const Step foreign{.chain = {{nft::Family::ip, "fw"}, "cluster-ips-check"}, .verdict = {}};
  tell_of_service(cause, nullptr, question, &foreign, {});
  EXPECT_EQ(cause.sentence, "") << "somebody else's table";
  const Step step{.chain = {{nft::Family::ip, "kube-proxy"}, "cluster-ips-check"}, .verdict = {}};
  tell_of_service(cause, nullptr, question, &step, {});
  EXPECT_EQ(cause.sentence, "10.96.0.77 is in the range of Services, and none has it");
}

TEST(AVip, WhoseContainerIsGoneSaysWhoseTurnItWas) {
  const auto turn = parse_address("11.15.0.2");
  kubeproxy::Vip vip{.address = parse_address("100.64.10.1"), .endpoints = {{kEndpoint}, {turn, true}}};
  const Owners owners{{kEndpoint, "w1/c1"}};
  const auto told = [&](Disposition disposition, const Address& to) {
    Cause cause{.disposition = disposition, .place = "w1", .sentence = "a rule drops it", .remedy = "delete the rule"};
    tell_of_vip(cause, vip, to, owners);
    return cause;
  };
  const auto dropped = told(Disposition::no_endpoint, turn);
  EXPECT_EQ(dropped.sentence, "it is the turn of 11.15.0.2, whose container is gone");
  EXPECT_EQ(dropped.object, "VIP 100.64.10.1: a container that is deleted keeps its turn");
  EXPECT_EQ(dropped.remedy, "vip add 100.64.10.1 w1/c1");
  const auto timed_out = told(Disposition::no_neighbour, turn);  // TCP is sent there
  EXPECT_EQ(timed_out.sentence, "a rule drops it");
  EXPECT_EQ(timed_out.remedy, "vip add 100.64.10.1 w1/c1");
  EXPECT_EQ(told(Disposition::dropped_by_rule, kEndpoint).remedy, "delete the rule") << "the turn of one that is there";
  const auto unseen = told(Disposition::unexplained, turn);  // on the worker that had it no rule drops it
  EXPECT_EQ(unseen.disposition, Disposition::no_endpoint);
  EXPECT_EQ(unseen.cause, "this probe was rewritten to 11.15.0.2, which no container has any more");
  EXPECT_EQ(told(Disposition::unexplained, kEndpoint).disposition, Disposition::unexplained);
  vip.endpoints.erase(vip.endpoints.begin());
  EXPECT_EQ(told(Disposition::no_endpoint, turn).remedy, "vip del 100.64.10.1") << "nobody is left";
}

TEST(AService, WithTheWrongTargetPortNamesTheRightOne) {
  Asked asked;
  asked.cause = {.disposition = Disposition::no_listener, .place = "w2/c2", .remedy = "another server"};
  asked.there.listeners = {{Protocol::tcp, parse_address("0.0.0.0"), 9090},
                           {Protocol::udp, parse_address("0.0.0.0"), 53},
                           {Protocol::tcp, parse_address("127.0.0.1"), 22}};
  tell_of_service(asked.cause, &asked.service, asked.question, nullptr, asked.there);
  EXPECT_THAT(asked.cause.object, HasSubstr("leads to port 8080 of its pods"));
  EXPECT_THAT(asked.cause.remedy, AllOf(HasSubstr("patch service web -n shop"),
                                        HasSubstr(R"("port":80,"protocol":"TCP","targetPort":9090)")));
  asked.there.listeners.push_back({Protocol::tcp, parse_address("0.0.0.0"), 9091});
  asked.cause.remedy = "another server";
  tell_of_service(asked.cause, &asked.service, asked.question, nullptr, asked.there);
  EXPECT_EQ(asked.cause.remedy, "another server") << "it could be either";
}

}  // namespace
}  // namespace knetsim::explain
