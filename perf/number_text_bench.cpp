// Claim: a double is written in shortest form, character for character as std::to_chars writes it, in three
// quarters of its time where it has 17 digits and in a third where it is a price.
#include <benchmark/benchmark.h>

#include <array>
#include <charconv>
#include <random>
#include <string_view>
#include <vector>

#include "state/number_text.hpp"

namespace {

using namespace atcd::state;
using Write = char* (*)(char*, double);

char* write_by_library(char* at, double value) { return std::to_chars(at, at + kLongestNumber, value).ptr; }

std::vector<double> values(bool prices) {
  std::mt19937_64 random(1);
  std::vector<double> made(4096);
  for (double& value : made) {
    value = prices ? static_cast<double>(random() % 9'000'000) / 100
                   : 0.3 + 3 * static_cast<double>(random() >> 11) / 0x1p53;
  }
  return made;
}

void write(benchmark::State& state, bool prices, Write function) {
  const std::vector<double> numbers = values(prices);
  std::array<char, kLongestNumber> text, expected;
  for (const double number : numbers) {
    const std::string_view ours(text.data(), write_shortest(text.data(), number));
    if (ours != std::string_view(expected.data(), write_by_library(expected.data(), number))) {
      state.SkipWithError("the texts differ");
      return;
    }
  }
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(function(text.data(), numbers[at++ % numbers.size()]));
    benchmark::ClobberMemory();
  }
}
BENCHMARK_CAPTURE(write, digits_17, false, write_shortest);
BENCHMARK_CAPTURE(write, digits_17_library, false, write_by_library);
BENCHMARK_CAPTURE(write, price, true, write_shortest);
BENCHMARK_CAPTURE(write, price_library, true, write_by_library);

}  // namespace
