#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/plan.hpp"
#include "tests/engine/golden_files.hpp"
#include "tests/engine/trials.hpp"
#include "tests/locations.hpp"

// Every vector that the two reference programs gave, all columns. Where the contract's page and the vectors
// were apart the vectors decided.

namespace atcd::engine {
namespace {

namespace fs = std::filesystem;
constexpr double kTolerance = 1e-9;

const fs::path kSynthetic = fs::path(ATCD_SOURCE_DIR) / "tests/golden";
const fs::path kShared = fs::path(ATCD_SHARED_DIR) / "golden";

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(c - 'a' + 'A');
  return result;
}

struct Computed {
  std::string refusal;
  std::array<std::vector<double>, kFamilies> layer1, equity;
  std::vector<double> average, averages, states, equities;
};

Computed compute(const golden::Case& golden, const std::vector<double>& closes,
                 const std::vector<double>& sources, const Kernel& kernel = best_kernel()) {
  Computed result;
  for (const auto& error : validate(golden.parameters)) result.refusal += error + "; ";
  if (!result.refusal.empty()) return result;
  const Plan plan(golden.parameters);
  const std::size_t bars = closes.size();
  BatchOutput output;
  for (std::size_t f = 0; f < kFamilies; ++f) {
    result.layer1[f].resize(bars);
    output.layer1[f] = result.layer1[f];
    result.equity[f].resize(bars);
    output.equity[f] = result.equity[f];
  }
  result.average.resize(bars);
  output.average = result.average;
  for (auto* column : {&result.averages, &result.states, &result.equities}) column->resize(bars * kAverages);
  output.averages = result.averages;
  output.states = result.states;
  output.equities = result.equities;
  result.refusal = compute_batch(plan, {closes, sources}, output, kernel);
  return result;
}

/// The definition's results, and that every other path has their bits.
Computed compute_on_every_path(const golden::Case& golden, const std::vector<double>& closes,
                               const std::vector<double>& sources) {
  Computed first = compute(golden, closes, sources, *available_kernels().front());
  for (const Kernel* kernel : available_kernels()) {
    SCOPED_TRACE(kernel->name);
    const Computed other = compute(golden, closes, sources, *kernel);
    EXPECT_EQ(other.refusal, first.refusal);
    for (std::size_t f = 0; f < kFamilies; ++f) {
      EXPECT_TRUE(trials::same_bits(other.layer1[f], first.layer1[f]));
      EXPECT_TRUE(trials::same_bits(other.equity[f], first.equity[f]));
    }
    EXPECT_TRUE(trials::same_bits(other.average, first.average));
    EXPECT_TRUE(trials::same_bits(other.averages, first.averages));
    EXPECT_TRUE(trials::same_bits(other.states, first.states));
    EXPECT_TRUE(trials::same_bits(other.equities, first.equities));
  }
  return first;
}

/// Counts how far computed values agree with expected ones, and fails at the first gate that is not kept.
struct Comparison {
  std::int64_t cells = 0, equal_bits = 0, close = 0;
  std::int64_t bars_compared = 0, bars_close = 0;

  bool same(double expected, double actual, bool relative) {
    ++cells;
    if (std::isnan(expected) || std::isnan(actual)) {
      const bool both = std::isnan(expected) && std::isnan(actual);
      equal_bits += both;
      close += both;
      return both;
    }
    equal_bits += std::bit_cast<std::uint64_t>(expected) == std::bit_cast<std::uint64_t>(actual);
    const double scale = relative ? std::max(std::fabs(expected), 1e-300) : 1;
    const bool within = std::fabs(expected - actual) <= kTolerance * scale;
    close += within;
    return within;
  }
};

double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 100 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void print_row(const std::string& name, const Comparison& c) {
  std::printf("  %-24s %9lld cells: %9.5f %% the same bits, %9.5f %% within 1e-9; %9.5f %% of %lld bars\n",
              name.c_str(), static_cast<long long>(c.cells), percent(c.equal_bits, c.cells),
              percent(c.close, c.cells), percent(c.bars_close, c.bars_compared),
              static_cast<long long>(c.bars_compared));
}

void check_columns(const golden::Case& golden) {
  const golden::Table table = golden::read_table(*golden.file);
  const auto& closes = table.column("close");
  const bool has_source = std::find(table.names.begin(), table.names.end(), "src") != table.names.end();
  const Computed computed =
      compute_on_every_path(golden, closes, has_source ? table.column("src") : std::vector<double>{});
  ASSERT_EQ(computed.refusal, "");
  Comparison comparison;
  int reported = 0;
  for (std::size_t i = 0; i < closes.size(); ++i) {
    bool all = true;
    const auto check = [&](const std::string& column, double actual) {
      const double expected = table.column(column)[i];
      if (comparison.same(expected, actual, false)) return;
      all = false;
      if (static_cast<std::int64_t>(i) >= golden.gate_until || ++reported > 5) return;
      ADD_FAILURE() << column << " of bar " << i << " is " << actual << ", expected " << expected;
    };
    for (std::size_t f = 0; f < kFamilies; ++f) {
      check(upper(kFamilyNames[f]) + "_Signal", computed.layer1[f][i]);
      check(upper(kFamilyNames[f]) + "_S", computed.equity[f][i]);
    }
    check("Average_Signal", computed.average[i]);
    ++comparison.bars_compared;
    comparison.bars_close += all;
  }
  print_row(golden.name, comparison);
}

void check_inner(const golden::Case& golden) {
  const golden::Table table = golden::read_table(*golden.inner_file);
  const auto& closes = table.column("close");
  const Computed computed = compute_on_every_path(golden, closes, {});
  ASSERT_EQ(computed.refusal, "");
  const std::size_t bars = closes.size();
  // The last 162 columns are averages, states and equities in our order, under each program's names.
  const std::size_t first = table.names.size() - 3 * kAverages;
  Comparison averages, states, equities;
  int reported = 0;
  for (std::size_t a = 0; a < kAverages; ++a) {
    for (std::size_t i = 0; i < bars; ++i) {
      const auto check = [&](Comparison& comparison, std::size_t column, const std::vector<double>& values,
                             bool relative) {
        const double expected = table.columns[column][i], actual = values[a * bars + i];
        if (comparison.same(expected, actual, relative) || ++reported > 10) return;
        ADD_FAILURE() << table.names[column] << " of bar " << i << " is " << actual << ", expected "
                      << expected;
      };
      check(averages, first + a, computed.averages, true);
      check(states, first + kAverages + a, computed.states, false);
      check(equities, first + 2 * kAverages + a, computed.equities, false);
    }
  }
  print_row(golden.name + " averages", averages);
  print_row(golden.name + " states", states);
  print_row(golden.name + " equities", equities);
  EXPECT_EQ(states.equal_bits, states.cells);
}

void check_folder(const fs::path& folder, Dialect dialect) {
  std::printf("%s\n", folder.c_str());
  int checked = 0;
  for (const golden::Case& golden : golden::read_cases(folder, dialect)) {
    SCOPED_TRACE(golden.name);
    if (golden.refused) continue;
    check_columns(golden);
    if (golden.inner_file) check_inner(golden);
    ++checked;
  }
  EXPECT_GT(checked, 0);
}

TEST(GoldenTest, LtsOnSyntheticSeries) { check_folder(kSynthetic / "lts", Dialect::lts); }
TEST(GoldenTest, PineOnSyntheticSeries) { check_folder(kSynthetic / "pine", Dialect::pine); }

TEST(GoldenTest, LtsOnRealSeries) {
  const fs::path folder = kShared / "lts/real";
  if (!fs::exists(folder)) GTEST_SKIP() << "the shared folder with real closes is not at " << folder;
  check_folder(folder, Dialect::lts);
}

TEST(GoldenTest, PineOnRealSeries) {
  const fs::path folder = kShared / "pine/real";
  if (!fs::exists(folder)) GTEST_SKIP() << "the shared folder with real closes is not at " << folder;
  check_folder(folder, Dialect::pine);
}

TEST(GoldenTest, CasesWithAnErrorAreRefused) {
  int refused = 0;
  for (const golden::Case& golden : golden::read_cases(kSynthetic / "lts", Dialect::lts)) {
    if (!golden.refused) continue;
    ++refused;
    if (!golden.known_names) continue;  // there is no value of Parameters for an unknown name
    const std::vector<double> closes =
        golden.file ? golden::read_table(*golden.file).column("close") : golden.closes;
    EXPECT_NE(compute(golden, closes, {}).refusal, "") << golden.name;
  }
  EXPECT_EQ(refused, 11);
}

}  // namespace
}  // namespace atcd::engine
