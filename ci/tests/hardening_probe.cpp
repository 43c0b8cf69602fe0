// Makes the mistake that its argument names, compiled the way that every program of this project is.
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

// What the compiler can't see through.
std::size_t taken_from(const char* text) { return std::strlen(text); }

int index_out_of_range(const char* text) {
  const std::vector<int> three{1, 2, 3};
  return three[taken_from(text)];
}

int copy_past_the_end(const char* text) {
  char small[4];
  std::strcpy(small, text);
  return small[0];
}

[[gnu::noinline]] void write_at(char* place, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) const_cast<volatile char*>(place)[i] = 'x';
}

int overrun_the_stack(const char* text) {
  char small[8];
  write_at(small, 8 * taken_from(text));
  return small[0];
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mistake = argc > 1 ? argv[1] : "";
  int result = 64;
  if (mistake == "an-index-out-of-range") result = index_out_of_range(argv[1]);
  if (mistake == "a-copy-past-the-end") result = copy_past_the_end(argv[1]);
  if (mistake == "an-overrun-of-the-stack") result = overrun_the_stack(argv[1]);
  std::printf("went on with %d\n", result);
  return 0;
}
