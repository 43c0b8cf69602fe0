// A program that is no suite: it writes the file FAKE_EVENTS (FAKE_LISTING when it is asked for its tests) where a
// suite would report, and says FAKE_OUTPUT on stdout.

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

std::string variable(const char* name) {
  const char* set = std::getenv(name);
  return set != nullptr ? set : "";
}

}  // namespace

int main(int argc, char** argv) {
  const bool listing = argc > 1 && std::string_view(argv[1]) == "--gtest_list_tests";
  std::ifstream file(variable(listing ? "FAKE_LISTING" : "FAKE_EVENTS"));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const int fd = std::atoi(variable("KNETSIM_EVENTS_FD").c_str());
  for (std::size_t done = 0; done < text.size();) {
    const auto count = ::write(fd, text.data() + done, text.size() - done);
    if (count <= 0) return 3;
    done += static_cast<std::size_t>(count);
  }
  std::cout << variable("FAKE_OUTPUT");
  return 0;
}
