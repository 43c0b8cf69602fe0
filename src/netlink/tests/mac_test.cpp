#include "knetsim/netlink/mac.h"

#include <gtest/gtest.h>

#include <set>

#include "knetsim/sys/error.h"

namespace knetsim::netlink {
namespace {

TEST(Mac, IsReadInEitherCaseAndWrittenInLowerCase) {
  const Mac mac = parse_mac("0A:1b:2C:3d:4E:ff");
  EXPECT_EQ(mac, (Mac{{0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0xff}}));
  EXPECT_EQ(to_string(mac), "0a:1b:2c:3d:4e:ff");
}

TEST(Mac, AnythingElseIsRefusedWithItsText) {
  for (const char* text : {"", "0a:1b:2c:3d:4e", "0a:1b:2c:3d:4e:5f:60", "0a-1b-2c-3d-4e-5f", "0g:1b:2c:3d:4e:5f",
                           "0a:1b:2c:3d:4e:5", "+a:1b:2c:3d:4e:5f", " a:1b:2c:3d:4e:5f", "a:1b:2c:3d:4e:5ff"}) {
    try {
      parse_mac(text);
      ADD_FAILURE() << text << " was taken";
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(std::string("\"") + text + "\""), std::string::npos);
    }
  }
}

TEST(Mac, ARandomOneIsUnicastLocallyAdministeredAndNew) {
  std::set<Mac> seen;
  for (int i = 0; i < 200; ++i) {
    const Mac mac = random_mac();
    EXPECT_EQ(mac.bytes[0] & 0x03, 0x02) << to_string(mac);
    seen.insert(mac);
  }
  EXPECT_EQ(seen.size(), 200U);
}

}  // namespace
}  // namespace knetsim::netlink
