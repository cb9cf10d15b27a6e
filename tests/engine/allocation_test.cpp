#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"

// Counts every allocation of this test program.

namespace {

std::atomic<long> allocations{0};

void* count_and_allocate(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* memory = nullptr;
  if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), size == 0 ? 1 : size) != 0)
    throw std::bad_alloc();
  return memory;
}

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  return count_and_allocate(size, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return count_and_allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return count_and_allocate(size, alignof(std::max_align_t));
}
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

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
