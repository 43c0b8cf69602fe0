// What the proxy writes reads well, and gets in nobody's way.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/kubeproxy/vips.h"
#include "knetsim/sys/process.h"

namespace knetsim::kubeproxy {
namespace {

using lab::listing;
using lab::listing_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Vip service(const char* vip, const std::vector<const char*>& endpoints, const char* name = "") {
  Vip made{.address = parse_address(vip), .endpoints = {}, .name = name};
  for (const char* endpoint : endpoints) made.endpoints.push_back({parse_address(endpoint)});
  return made;
}

TEST(VipTable, ReadsAsAPersonWouldHaveTypedIt) {
  const NetNs netns = NetNs::create();
  VipProxy proxy(netns, {.pod_networks = {parse_network("11.0.0.0/8"), parse_network("fd11::/16")}});
  proxy.apply({service("100.64.10.1", {"11.20.0.2"}, "web"), service("fd64::1", {"fd11::2"})});
  const std::string typed = R"(table ip knetsim-vips {
	comment "virtual addresses and who serves them in turn"
	set vips {
		type ipv4_addr
		elements = { 100.64.10.1 }
	}

	map turns {
		typeof ip daddr . meta mark : ip daddr
		elements = { 100.64.10.1 . 0x40000000 : 11.20.0.2 }
	}

	set hairpin {
		type ipv4_addr . ipv4_addr
		elements = { 11.20.0.2 . 11.20.0.2 }
	}

	set gone {
		type ipv4_addr
	}

	map at-prerouting {
		type ipv4_addr : verdict
		elements = { 100.64.10.1 comment "VIP 100.64.10.1: web" : goto vip-100.64.10.1 }
	}

	map at-output {
		type ipv4_addr : verdict
		elements = { 100.64.10.1 comment "VIP 100.64.10.1: web" : goto output-100.64.10.1 }
	}

	chain take {
		dnat to ip daddr . meta mark map @turns comment "whose turn it is"
	}

	chain vip-100.64.10.1 {
		ip daddr 100.64.10.1 counter packets 0 bytes 0 meta mark set numgen inc mod 1 offset 1073741824 goto take comment "VIP 100.64.10.1: web"
	}

	chain output-100.64.10.1 {
		ip daddr 100.64.10.1 counter packets 0 bytes 0 meta mark set numgen inc mod 1 offset 1073741824 goto take comment "VIP 100.64.10.1: web"
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr vmap @at-prerouting comment "to the VIP's turns"
	}

	chain output {
		type nat hook output priority -100; policy accept;
		ip daddr vmap @at-output comment "to the VIP's turns"
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct original ip daddr @vips meta mark & 0x40000000 == 0x40000000 meta mark set 0x00000000 comment "its turn has been taken"
		ct status dnat ip daddr @gone ct original ip daddr @vips meta l4proto != tcp drop comment "the turn of an endpoint that is gone"
		ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random comment "an endpoint that reached itself"
		ct original ip daddr @vips ip saddr != 11.0.0.0/8 masquerade fully-random comment "from outside the pod network"
	}
}
table ip6 knetsim-vips {
	comment "virtual addresses and who serves them in turn"
	set vips {
		type ipv6_addr
		elements = { fd64::1 }
	}

	map turns {
		typeof ip6 daddr . meta mark : ip6 daddr
		elements = { fd64::1 . 0x40000000 : fd11::2 }
	}

	set hairpin {
		type ipv6_addr . ipv6_addr
		elements = { fd11::2 . fd11::2 }
	}

	set gone {
		type ipv6_addr
	}

	map at-prerouting {
		type ipv6_addr : verdict
		elements = { fd64::1 comment "VIP fd64::1" : goto vip-fd64..1 }
	}

	map at-output {
		type ipv6_addr : verdict
		elements = { fd64::1 comment "VIP fd64::1" : goto output-fd64..1 }
	}

	chain take {
		dnat to ip6 daddr . meta mark map @turns comment "whose turn it is"
	}

	chain vip-fd64..1 {
		ip6 daddr fd64::1 counter packets 0 bytes 0 meta mark set numgen inc mod 1 offset 1073741824 goto take comment "VIP fd64::1"
	}

	chain output-fd64..1 {
		ip6 daddr fd64::1 counter packets 0 bytes 0 meta mark set numgen inc mod 1 offset 1073741824 goto take comment "VIP fd64::1"
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip6 daddr vmap @at-prerouting comment "to the VIP's turns"
	}

	chain output {
		type nat hook output priority -100; policy accept;
		ip6 daddr vmap @at-output comment "to the VIP's turns"
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct original ip6 daddr @vips meta mark & 0x40000000 == 0x40000000 meta mark set 0x00000000 comment "its turn has been taken"
		ct status dnat ip6 daddr @gone ct original ip6 daddr @vips meta l4proto != tcp drop comment "the turn of an endpoint that is gone"
		ct status dnat ip6 saddr . ip6 daddr @hairpin masquerade fully-random comment "an endpoint that reached itself"
		ct original ip6 daddr @vips ip6 saddr != fd11::/16 masquerade fully-random comment "from outside the pod network"
	}
}
)";
  EXPECT_EQ(listing(netns), typed);
  EXPECT_EQ(listing_of(typed), typed);
}

TEST(VipTable, IptablesWorksBesideIt) {
  const NetNs netns = NetNs::create();
  VipProxy proxy(netns);
  proxy.apply({service("100.64.10.1", {"11.20.0.2", "11.30.0.2"}), service("fd64::1", {"fd11::2", "fd11::3"})});
  const auto run = [&](const char* program, const char* network) {
    const std::vector<std::string> argv{program, "-t", "nat", "-A", "POSTROUTING", "-s", network, "-j", "MASQUERADE"};
    const ExecResult result = exec({.argv = argv, .netns = &netns});
    EXPECT_TRUE(result.ok()) << result.err;
  };
  run("iptables", "11.0.0.0/8");
  run("ip6tables", "fd11::/16");
  proxy.apply({service("100.64.10.1", {"11.30.0.2"})});
  const ExecResult saved = exec({.argv = {"iptables-save"}, .netns = &netns});
  EXPECT_TRUE(saved.ok()) << saved.err;
  EXPECT_THAT(saved.out, HasSubstr("-A POSTROUTING -s 11.0.0.0/8 -j MASQUERADE"));
  EXPECT_THAT(saved.out + saved.err, Not(HasSubstr("incompatible")));
}

TEST(VipTable, OfTwoHundredVipsOneIsChanged) {
  const NetNs netns = NetNs::create();
  VipProxy proxy(netns);
  std::vector<Vip> services;
  for (std::uint32_t i = 0; i < 200; ++i) {
    services.push_back(
        {.address = advance(parse_address("100.64.0.1"), i),
         .endpoints = {{advance(parse_address("11.0.0.1"), 2 * i)}, {advance(parse_address("11.0.0.2"), 2 * i)}}});
  }
  proxy.apply(services);
  const nft::TableId table{nft::Family::ip, kVipTableName};
  ASSERT_EQ(nft::list_elements(netns, {table, "turns"}).size(), 400U);
  const auto handle_of = [&](const char* chain) {
    return nft::list_rules(netns, nft::ChainId{table, chain}).at(0).id.handle;
  };
  const auto changed = handle_of("vip-100.64.0.101");
  const auto left_alone = handle_of("vip-100.64.0.102");
  services[100].endpoints.pop_back();
  proxy.apply(services);
  EXPECT_EQ(nft::list_elements(netns, {table, "turns"}).size(), 399U);
  EXPECT_NE(handle_of("vip-100.64.0.101"), changed);
  EXPECT_EQ(handle_of("vip-100.64.0.102"), left_alone);
}

TEST(VipValidation, EachErrorNamesTheValueAndTheRemedy) {
  const auto error_of = [](const std::vector<Vip>& services) -> std::string {
    try {
      validate(services);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(error_of({}), "accepted");
  EXPECT_EQ(error_of({service("100.64.10.1", {"11.20.0.2"}), service("fd64::1", {"fd11::2"})}), "accepted");
  EXPECT_EQ(error_of({service("100.64.10.1", {})}),
            "VIP 100.64.10.1: has no endpoint\n  remedy: name at least one container, or remove the VIP");
  EXPECT_THAT(error_of({service("100.64.10.1", {"11.20.0.2", "fd11::2"})}),
              AllOf(HasSubstr("endpoint fd11::2 is of the other address family"), HasSubstr("remedy: ")));
  EXPECT_THAT(error_of({service("100.64.10.1", {"11.20.0.2"}), service("100.64.10.1", {"11.20.0.3"})}),
              AllOf(HasSubstr("VIP 100.64.10.1: is there twice"), HasSubstr("remedy: ")));
  EXPECT_THAT(error_of({service("100.64.10.1", {"100.64.10.1"})}), HasSubstr("is its own endpoint"));
  EXPECT_THAT(error_of({service("0.0.0.0", {"11.20.0.2"})}), HasSubstr("VIP 0.0.0.0: no address"));
  EXPECT_THAT(error_of({service("127.0.0.1", {"11.20.0.2"})}), HasSubstr("VIP 127.0.0.1: no address"));
  EXPECT_THAT(error_of({service("ff02::1", {"fd11::2"})}), HasSubstr("VIP ff02::1: no address"));
  EXPECT_THAT(error_of({service("100.64.10.1", {"224.0.0.1"})}), HasSubstr("endpoint 224.0.0.1 can't receive"));
  EXPECT_THAT(error_of({service("100.64.10.1", {"11.20.0.2"}, "a \"name\"")}), HasSubstr("quote"));
  EXPECT_THAT(error_of({service("100.64.10.1", {"11.20.0.2"}, std::string(101, 'x').c_str())}), HasSubstr("101 bytes"));
}

}  // namespace
}  // namespace knetsim::kubeproxy
