#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>

#include "feeds/binance.hpp"
#include "feeds/stream_names.hpp"
#include "tests/feeds/frame_reader.hpp"

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

namespace atcd::feeds {
namespace {

TEST(FeedAllocation, TheCounterCounts) {
  const long before = allocations;
  auto* volatile number = new int(1);
  delete number;
  EXPECT_GT(allocations, before);
}

TEST(FeedAllocation, NoFrameAllocatesOnItsWayToItsStream) {
  struct Sink final : KlineSink {
    const StreamNames& names;
    long found = 0;
    explicit Sink(const StreamNames& all) : names(all) {}
    void on_kline(const Kline& kline) override {
      found += names.find(kline.symbol, kline.interval) != nullptr ? 1 : 0;
    }
  };
  StreamNames names;
  for (StreamIndex i = 0; i < 1000; ++i) names.add({"A-RATHER-LONG-SYMBOL-" + std::to_string(i), "1m"}, i);
  names.add({"BTCUSDT", "1m"}, 1000);
  const simdjson::padded_string closed(testing::frame_text("binance/2026-11-23-spot-kline-closed.json"));
  const simdjson::padded_string forming(testing::frame_text("binance/2026-11-23-spot-kline-forming.json"));
  const auto parser = new_binance_frame_parser();
  Sink sink(names);
  parser->parse(std::string_view(closed.data(), closed.size()), sink);  // sizes the parser's scratch memory
  const long before = allocations;
  for (int i = 0; i < 1000; ++i) {
    parser->parse(std::string_view(closed.data(), closed.size()), sink);
    parser->parse(std::string_view(forming.data(), forming.size()), sink);
  }
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(sink.found, 2001);
}

}  // namespace
}  // namespace atcd::feeds
