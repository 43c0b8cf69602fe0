// The volumes of a pod: what is in them, and where its programs find them.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "../kubelet/container_view.h"
#include "../kubelet/volume_directory.h"
#include "../kubelet/volume_files.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::kubelet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const json kPod = json::parse(R"({"metadata":{"name":"web","namespace":"shop","uid":"u","labels":{"app":"web"}},
  "spec":{"containers":[{"name":"c","resources":{"limits":{"memory":"64Mi"}}}]}})");

VolumeFiles files(const char* volume) {
  const FindObject find = [](const std::string& plural, const std::string& name) -> json {
    if (plural == "configmaps" && name == "cfg")
      return json::parse(R"({"kind":"ConfigMap","data":{"a":"1","b":"2"},"binaryData":{"c":"AwQ="}})");
    if (plural == "secrets" && name == "key") return json::parse(R"({"kind":"Secret","data":{"pin":"NDI="}})");
    return nullptr;
  };
  const FindToken token = [](const VolumeToken& wanted) {
    return "for " + wanted.audience + " " + std::to_string(wanted.seconds);
  };
  auto whole = json::parse(volume);
  whole["name"] = "v";
  return files_of(kPod, whole, find, token);
}

std::string refusal(const char* volume) {
  try {
    files(volume);
  } catch (const InputError& error) {
    return error.what();
  }
  return "taken";
}

TEST(KubeletVolumes, HoldWhatTheyAreMadeOf) {
  EXPECT_THAT(files(R"({"configMap":{"name":"cfg","defaultMode":420}})"),
              ElementsAre(Pair("a", VolumeFile{"1", 0644}), Pair("b", VolumeFile{"2", 0644}),
                          Pair("c", VolumeFile{"\3\4", 0644})));
  EXPECT_THAT(files(R"({"configMap":{"name":"cfg","items":[{"key":"b","path":"d/./x","mode":256}]}})"),
              ElementsAre(Pair("d/x", VolumeFile{"2", 0400})));
  EXPECT_THAT(files(R"({"secret":{"secretName":"key","defaultMode":256}})"),
              ElementsAre(Pair("pin", VolumeFile{"42", 0400})));
  EXPECT_THAT(files(R"({"downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.labels"}},
                       {"path":"m","resourceFieldRef":{"containerName":"c","resource":"limits.memory"}}]}})"),
              ElementsAre(Pair("l", VolumeFile{"app=\"web\""}), Pair("m", VolumeFile{"64Mi"})));
  EXPECT_THAT(
      files(R"({"projected":{"defaultMode":384,"sources":[{"configMap":{"name":"cfg","items":[{"key":"a","path":"a"}]}},
                       {"secret":{"name":"key"}},{"serviceAccountToken":{"path":"t","audience":"x","expirationSeconds":700}}]}})"),
      ElementsAre(Pair("a", VolumeFile{"1", 0600}), Pair("pin", VolumeFile{"42", 0600}),
                  Pair("t", VolumeFile{"for x 700", 0600})));
  EXPECT_THAT(files(R"({"configMap":{"name":"none","optional":true}})"), IsEmpty());
  EXPECT_THAT(files(R"({"configMap":{"name":"cfg","optional":true,"items":[{"key":"z","path":"z"}]}})"), IsEmpty());
  EXPECT_THAT(files(R"({"emptyDir":{}})"), IsEmpty());
}

TEST(KubeletVolumes, AreMissingInAKubeletsWords) {
  EXPECT_EQ(refusal(R"({"configMap":{"name":"none"}})"), "configmap \"none\" not found");
  EXPECT_EQ(refusal(R"({"projected":{"sources":[{"secret":{"name":"none"}}]}})"), "secret \"none\" not found");
  EXPECT_EQ(refusal(R"({"configMap":{"name":"cfg","items":[{"key":"z","path":"z"}]}})"),
            "configmap references non-existent config key: z");
  EXPECT_EQ(refusal(R"({"secret":{"secretName":"key","items":[{"key":"z","path":"z"}]}})"),
            "references non-existent secret key: z");
  EXPECT_THAT(refusal(R"({"nfs":{"server":"a","path":"/b"}})"), HasSubstr("kind \"nfs\" isn't offered"));
  EXPECT_EQ(refusal(R"({"hostPath":{"path":"/etc","type":""}})"), "taken");
  EXPECT_EQ(refusal(R"({"hostPath":{"path":"/etc","type":"DirectoryOrCreate"}})"), "taken");
  EXPECT_EQ(refusal(R"({"hostPath":{"path":"/etc/passwd","type":"Directory"}})"),
            "hostPath type check failed: /etc/passwd is not a directory");
  EXPECT_THAT(refusal(R"({"hostPath":{"path":"/etc/passwd","type":"DirectoryOrCreate"}})"),
              HasSubstr("not a directory"));
  EXPECT_EQ(refusal(R"({"hostPath":{"path":"/etc","type":"File"}})"), "hostPath type check failed: /etc is not a file");
  EXPECT_THAT(refusal(R"({"hostPath":{"path":"/no-such-place","type":"DirectoryOrCreate"}})"),
              HasSubstr("there is no \"/no-such-place\""));
  EXPECT_FALSE(fs::exists("/no-such-place"));
  EXPECT_THAT(refusal(R"({"projected":{"sources":[{"clusterTrustBundle":{}}]}})"), HasSubstr("isn't offered"));
  for (const char* path : {"/etc/x", "../x", "a/../../x", "..data", ""})
    EXPECT_THAT(
        refusal(json{{"configMap", {{"name", "cfg"}, {"items", {{{"key", "a"}, {"path", path}}}}}}}.dump().c_str()),
        HasSubstr("invalid path"))
        << path;
}

TEST(KubeletVolumes, AreAskedForOnce) {
  auto pod = kPod;
  pod["spec"]["volumes"] = json::parse(R"([{"name":"a","configMap":{"name":"cfg"}},{"name":"b","emptyDir":{}},
    {"name":"c","projected":{"sources":[{"configMap":{"name":"cfg"}},{"secret":{"name":"../x"}},{"serviceAccountToken":{"path":"t"}}]}}])");
  const auto needs = needs_of(pod);
  EXPECT_THAT(needs.objects, ElementsAre("/api/v1/namespaces/shop/configmaps/cfg"));
  EXPECT_THAT(needs.tokens, ElementsAre(VolumeToken{"", 3'600}));
}

class VolumePlaces : public testing::Test {
 protected:
  /// What a program prints that is shown these.
  static std::string run(const std::vector<Mount>& mounts, const std::string& script) {
    const auto out = fs::path(kStateDirectory) / "out";
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const Fd file(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    Command command{.argv = {"sh", "-c", script}};
    command.trust = Trust::pod;
    auto child = Child::launch(command, null, file, file, {.shown = view_with(kRoom, mounts)});
    child.wait(std::chrono::seconds(10));
    return read_file(out);
  }
  static fs::path volume(const std::string& name) {
    const auto place = fs::path(kStateDirectory) / "volumes" / name;
    make_directories(place);
    return place;
  }
  static std::string refused(const std::vector<Mount>& mounts) {
    try {
      view_with(kRoom, mounts);
    } catch (const InputError& error) {
      return error.what();
    }
    return "taken";
  }

  inline static const fs::path kRoom = fs::path(kStateDirectory) / "room";
};

TEST_F(VolumePlaces, AreWhereverTheHostHasOrLacksThem) {
  const auto from = volume("v");
  write_volume(from, {{"a", {"one", 0644}}, {"d/b", {"two", 0755}}}, 1);
  ASSERT_FALSE(fs::exists("/no-such-place"));
  for (const char* at :
       {"/no-such-place", "/no-such-place/below/", "/etc/no-such/place", "/usr/share", "/var/run/no-such"}) {
    const auto text = run({{.from = from, .at = at}},
                          "cd " + std::string(at) + " && cat a d/b && stat -Lc %a d/b && ls /bin/sh /etc/passwd");
    EXPECT_EQ(text, "onetwo755\n/bin/sh\n/etc/passwd\n") << at;
  }
  EXPECT_FALSE(fs::exists("/no-such-place") || fs::exists("/etc/no-such") || fs::exists("/run/no-such"));
  EXPECT_EQ(run({{.from = from / "a", .at = "/etc/passwd"}, {.from = from / "a", .at = "/etc/no-such/file"}},
                "cat /etc/passwd /etc/no-such/file; ls /etc/hostname"),
            "oneone/etc/hostname\n")
      << "files too";
}

TEST_F(VolumePlaces, AreWrittenToOrNot) {
  const auto from = volume("v");
  const auto script = "echo x > /no-such-place/f; cat /no-such-place/f";
  EXPECT_EQ(run({{.from = from, .at = "/no-such-place"}}, script), "x\n");
  EXPECT_THAT(run({{.from = from, .at = "/no-such-place", .read_only = true}}, "echo y > /no-such-place/f"),
              HasSubstr("Read-only"));
  EXPECT_EQ(read_file(from / "f"), "x\n");
}

TEST_F(VolumePlaces, MayShowTheWholeHost) {
  // What is mounted below it too.
  const std::string script =
      "cd /no-such-place && cmp etc/passwd /etc/passwd && ls -d usr; for f in f run/knetsim/f; do "
      "touch $f 2>/dev/null || echo refused; done";
  EXPECT_EQ(run({{.from = "/", .at = "/no-such-place", .read_only = true}}, script), "usr\nrefused\nrefused\n");
}

TEST_F(VolumePlaces, MayLieInOneAnother) {
  const auto outer = volume("outer");
  const auto inner = volume("inner");
  write_file_atomically(inner / "f", "inner");
  // Whatever their order.
  const Mount first{.from = outer, .at = "/no-such-place"};
  const Mount second{.from = inner, .at = "/no-such-place/in/it"};
  EXPECT_EQ(run({second, first}, "cat /no-such-place/in/it/f; ls /no-such-place"), "innerin\n");
  EXPECT_THAT(refused({{.from = outer, .at = "/no-such-place", .read_only = true}, second}), HasSubstr("read-only"));
  fs::remove_all(outer / "in");
  const auto elsewhere = volume("elsewhere");
  fs::create_directory_symlink(elsewhere, outer / "in");
  EXPECT_THAT(refused({first, second}), HasSubstr("can't mount at \"/no-such-place/in/it\""));
  EXPECT_FALSE(fs::exists(elsewhere / "it"));
}

TEST_F(VolumePlaces, AreNotOfTheSystemNorOfAnotherKind) {
  const auto from = volume("v");
  for (const char* at : {"/", "/proc", "/proc/1", "/sys/no-such", "/../", "/etc/passwd", "/etc/passwd/x"})
    EXPECT_THAT(refused({{.from = from, .at = at}}), HasSubstr("can't mount at")) << at;
  EXPECT_EQ(refused({{.from = from, .at = "/opt"}}), "taken");
}

TEST(VolumeDirectory, ChangesAsAWhole) {
  const auto place = fs::path(kStateDirectory) / "volume";
  make_directories(place);
  write_volume(place, {{"a", {"1"}}, {"d/x", {"1"}}}, 1);
  const auto before = fs::canonical(place / "a").parent_path();
  write_volume(place, {{"b", {"2"}}, {"d/y", {"2"}}}, 2);
  EXPECT_EQ(read_file(place / "b") + read_file(place / "d/y"), "22");
  EXPECT_FALSE(fs::exists(fs::symlink_status(place / "a")));
  EXPECT_FALSE(fs::exists(place / "d/x"));
  EXPECT_FALSE(fs::exists(before));
}

TEST(VolumeDirectory, HasSubPathsThatStayInIt) {
  const auto place = fs::path(kStateDirectory) / "volume";
  make_directories(place / "a");
  fs::create_directory_symlink("/etc", place / "away");
  fs::create_directory_symlink("a", place / "same");
  EXPECT_EQ(sub_path(place, "a"), place / "a");
  EXPECT_EQ(sub_path(place, "same"), place / "a");
  EXPECT_EQ(sub_path(place, "new/one"), place / "new/one");
  EXPECT_TRUE(fs::is_directory(place / "new/one"));
  EXPECT_THROW(sub_path(place, "newer", false), Error);
  EXPECT_FALSE(fs::exists(place / "newer"));
  for (const char* path : {"away", "away/passwd", "away/new", "..", "a/../..", "no/../../escaped", "/etc"})
    EXPECT_THROW(sub_path(place, path), Error) << path;
  EXPECT_FALSE(fs::exists("/etc/new") || fs::exists(place.parent_path() / "escaped"));
}

}  // namespace
}  // namespace knetsim::kubelet
