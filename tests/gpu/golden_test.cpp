#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "engine/dispatch.hpp"
#include "tests/engine/columns.hpp"
#include "tests/engine/golden_files.hpp"
#include "tests/gpu/computers.hpp"
#include "tests/locations.hpp"

// Both golden sets: the bits of the scalar definition, which tests/engine compares with the vectors.

namespace atcd::gpu {
namespace {

namespace fs = std::filesystem;

/// The binary may have been built elsewhere: then the variable says where the tree is.
fs::path folder_of(const char* variable, const char* built_with) {
  const char* const given = std::getenv(variable);
  return given != nullptr ? given : built_with;
}

class GpuGoldenTest : public ComputersTest {
 protected:
  void check_folder(const fs::path& folder, engine::Dialect dialect) const {
    int checked = 0;
    for (const golden::Case& golden : golden::read_cases(folder, dialect)) {
      if (golden.refused || !golden.file) continue;
      SCOPED_TRACE(golden.name);
      const golden::Table table = golden::read_table(*golden.file);
      trials::Trial trial{golden.parameters, table.column("close"), {}};
      const bool has_source = std::find(table.names.begin(), table.names.end(), "src") != table.names.end();
      if (has_source) trial.sources = table.column("src");
      const engine::Plan plan(golden.parameters);
      const std::size_t bars = trial.closes.size();
      const auto times = trials::close_times(bars);
      trials::Columns columns(bars);
      const engine::BatchInput input{trial.closes, trial.sources, times};
      const engine::BatchOutput output = columns.output();
      ASSERT_EQ(compute(plan, {&input, 1}, {&output, 1}).sentence, "");
      const trials::Columns expected = trials::by_batch(plan, trial, *engine::find_kernel("scalar"), bars);
      EXPECT_EQ(difference(expected, columns, bars), "");
      ++checked;
    }
    EXPECT_GT(checked, 0);
  }
  void check_real(const char* name, engine::Dialect dialect) const {
    const fs::path folder = folder_of("ATCD_SHARED_DIR", ATCD_SHARED_DIR) / "golden" / name / "real";
    if (!fs::exists(folder)) GTEST_SKIP() << "the shared folder with real closes is not at " << folder;
    check_folder(folder, dialect);
  }
  static fs::path synthetic() { return folder_of("ATCD_SOURCE_DIR", ATCD_SOURCE_DIR) / "tests/golden"; }
};
INSTANTIATE_TEST_SUITE_P(Gpu, GpuGoldenTest,
                         testing::Values(stand_in("StandIn", LaneOrder::shuffled), device()), name_of);

TEST_P(GpuGoldenTest, LtsOnSyntheticSeries) { check_folder(synthetic() / "lts", engine::Dialect::lts); }
TEST_P(GpuGoldenTest, PineOnSyntheticSeries) { check_folder(synthetic() / "pine", engine::Dialect::pine); }
TEST_P(GpuGoldenTest, LtsOnRealSeries) { check_real("lts", engine::Dialect::lts); }
TEST_P(GpuGoldenTest, PineOnRealSeries) { check_real("pine", engine::Dialect::pine); }

}  // namespace
}  // namespace atcd::gpu
