#include <gtest/gtest.h>

#include <memory>

#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "tests/allocation_counter.hpp"

namespace atcd::engine {
namespace {

TEST(AllocationTest, TheCounterCounts) {
  const long before = allocations;
  auto* volatile number = new int(1);
  delete number;
  EXPECT_GT(allocations, before);
}

TEST(AllocationTest, NoBarPreviewOrStepBackAllocatesOnAnyKernel) {
  for (const Kernel* kernel : available_kernels()) {
    for (const Dialect dialect : {Dialect::lts, Dialect::pine}) {
      Parameters parameters;
      parameters.dialect = dialect;
      const auto plan = std::make_shared<const Plan>(parameters);
      Incremental engine(plan, *kernel);
      double checksum = 0;
      const long before = allocations;
      // Past the end of the growth table, where factors are computed.
      for (std::int64_t i = 0; i < Plan::kGrowthTable + 50; ++i) {
        const double price = 100 + static_cast<double>(i % 37) / 8;
        const Bar bar{i * 60'000, (i + 1) * 60'000, price, price, price, price, 1};
        engine.prepare();
        checksum += engine.preview(bar).average;
        checksum += engine.update(bar).average;
        if (i % 5 == 0) {
          engine.step_back();
          checksum += engine.update(bar).average;
        }
      }
      EXPECT_EQ(allocations - before, 0) << kernel->name;
      EXPECT_TRUE(checksum == checksum);
    }
  }
}

}  // namespace
}  // namespace atcd::engine
