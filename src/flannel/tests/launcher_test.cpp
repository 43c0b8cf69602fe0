// What flannel knows of the program that is launched.

#include "knetsim/flannel/launcher.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace knetsim::flannel {
namespace {

TEST(Program, OursIsFoundBesideTheRunningProgram) {
  const auto program = parts::resolve(parts::kFlannel, parts::Flavour::builtin, parts::Environment({}));
  EXPECT_EQ(program.path, std::filesystem::read_symlink("/proc/self/exe").parent_path() / "knetsim-flanneld");
  EXPECT_EQ(etcd_api_of(program), EtcdApi::v3);
}

TEST(Program, TellsTheStoreOfTheLeasesByItsRelease) {
  const auto api_of = [](parts::Release release) {
    return etcd_api_of({.part = &parts::kFlannel, .flavour = parts::Flavour::real, .path = "x", .release = release});
  };
  EXPECT_EQ(api_of({0, 6, 2}), EtcdApi::v2);
  EXPECT_EQ(api_of({0, 17, 0}), EtcdApi::v2);
  EXPECT_EQ(api_of({0, 20, 0}), EtcdApi::v3);
  EXPECT_EQ(api_of({0, 21, 3}), EtcdApi::v3);
  EXPECT_EQ(api_of({1, 0, 0}), EtcdApi::v3);
}

}  // namespace
}  // namespace knetsim::flannel
