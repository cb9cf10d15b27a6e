// The fuzzer is awake: it must find this bug, which lies behind four bytes and a length.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.size() < 6 || !input.starts_with("ATCD") || input[5] != input[4]) return 0;
  std::fputs("found the planted bug\n", stderr);
  std::abort();
}
