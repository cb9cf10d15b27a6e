#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/dispatch.hpp"
#include "engine/plan.hpp"
#include "tests/engine/columns.hpp"

// Every column of some fixed series as one number, the same on every path and every machine: x86 and aarch64
// are proven equal without meeting. The series come from operations that IEEE 754 fixes to the bit, without a
// function of libm.

namespace atcd::engine {
namespace {

using trials::Columns;
using trials::Trial;

/// FNV-1a with 64 bits, over values in the order of little-endian memory. Of an undefined value only that it
/// is: its sign and payload are the processor's own, and no published form shows them.
class Digest {
 public:
  void add(const std::vector<double>& values) {
    for (const double value : values) {
      add_bits(
          std::bit_cast<std::uint64_t>(std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value));
    }
  }
  template <class Whole>
  void add_whole(const std::vector<Whole>& values) {
    for (const auto value : values) add_bits(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
  }
  void add(const Columns& columns) {
    for (std::size_t f = 0; f < kFamilies; ++f) {
      add(columns.layer1[f]);
      add(columns.equity[f]);
    }
    add(columns.average);
    add(columns.averages);
    add(columns.states);
    add(columns.equities);
    add_whole(columns.trend);
    add_whole(columns.trend_since_ms);
  }
  std::string text() const {
    char digits[20];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(sum_));
    return digits;
  }

 private:
  void add_bits(std::uint64_t bits) {
    for (int shift = 0; shift < 64; shift += 8) sum_ = (sum_ ^ (bits >> shift & 0xff)) * 0x100000001b3;
  }
  std::uint64_t sum_ = 0xcbf29ce484222325;
};

/// Numbers from the bits of a generator that the standard fixes; its distributions are each library's own.
class Source {
 public:
  /// From -1 up to 1.
  double next() { return static_cast<double>(random_() >> 11) * 0x1p-52 - 1; }
  bool one_in(std::uint64_t count) { return random_() % count == 0; }

 private:
  std::mt19937_64 random_{20'261'127};
};

enum class Kind { walk, ticks, missing, immense };

constexpr std::size_t kBars = 700;

Trial series_of(Kind kind, const Parameters& parameters) {
  Source source;
  Trial trial{parameters, {}, {}};
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  double price = kind == Kind::immense ? 0x1p1000 : 100;
  for (std::size_t i = 0; i < kBars; ++i) {
    const double step = source.next();
    if (kind == Kind::ticks) {
      price += step < -0.4 ? -0.25 : step > 0.4 ? 0.25 : 0;
    } else {
      price *= 1 + 0.02 * step;
    }
    const double average = price * (1 + 0.004 * source.next());
    const bool loses = kind == Kind::missing && (i < 9 || source.one_in(30));
    trial.closes.push_back(loses && source.one_in(2) ? nothing : price);
    trial.sources.push_back(loses ? nothing : average);
  }
  return trial;
}

struct Case {
  const char* name;
  Kind kind;
  Parameters parameters;
  const char* digest;
};

std::vector<Case> cases() {
  Parameters pine, several, pine_several;
  pine.dialect = Dialect::pine;
  several.lengths = {9, 34, 21, 60, 13, 28};
  several.weights = {0.5, 1, 1.5, 2, 0.75, 0.3};
  several.robustness = Robustness::narrow;
  several.lambda = 0.5;
  several.decay = 0.7;
  several.cutout = 70;
  several.strategy_mode = true;
  pine_several = several;
  pine_several.dialect = Dialect::pine;
  pine_several.robustness = Robustness::wide;
  return {{"lts", Kind::walk, {}, "a480e084a7d2fad5"},
          {"lts, ticks", Kind::ticks, {}, "7935a5d63a64bc67"},
          {"lts, missing values", Kind::missing, {}, "c769c74cebc53851"},
          {"lts, immense values", Kind::immense, {}, "f71418e7f47b344d"},
          {"lts, several lengths", Kind::walk, several, "158e84a0abe72877"},
          {"lts, several lengths, missing values", Kind::missing, several, "5117e5e8828a6b77"},
          {"pine", Kind::walk, pine, "94015d876c1b122a"},
          {"pine, ticks", Kind::ticks, pine, "1ed3e4e9dcf16b77"},
          {"pine, several lengths", Kind::walk, pine_several, "dcd6e53787214f43"}};
}

TEST(DigestTest, EveryPathOfEveryMachineGivesTheseBits) {
  for (const Case& each : cases()) {
    const auto plan = std::make_shared<const Plan>(each.parameters);
    const Trial trial = series_of(each.kind, each.parameters);
    for (const Kernel* kernel : available_kernels()) {
      Digest batch, stepped;
      batch.add(trials::by_batch(*plan, trial, *kernel, kBars));
      stepped.add(trials::bar_by_bar(plan, trial, *kernel));
      EXPECT_EQ(batch.text(), each.digest) << each.name << ", batch, " << kernel->name;
      EXPECT_EQ(stepped.text(), each.digest) << each.name << ", bar by bar, " << kernel->name;
    }
  }
}

}  // namespace
}  // namespace atcd::engine
