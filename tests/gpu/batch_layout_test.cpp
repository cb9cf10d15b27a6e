#include "gpu/batch_layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "tests/gpu/stand_in.hpp"

// How a batch is divided into what crosses the bus at once.

namespace atcd::gpu {
namespace {

constexpr std::size_t kSeries = 40, kBars = 500;

/// Series of which plans with so many different growth factors want the trend alone.
struct Trends {
  Trends(std::size_t plans, std::size_t lambdas)
      : closes(kSeries * kBars, 100.0), trends(plans * kSeries * kBars), outputs(plans * kSeries) {
    for (std::size_t v = 0; v < plans; ++v) {
      engine::Parameters parameters;
      parameters.lambda = 0.01 * static_cast<double>(v % lambdas);
      made.push_back(std::make_unique<const engine::Plan>(parameters));
      pointers.push_back(made.back().get());
    }
    for (std::size_t s = 0; s < kSeries; ++s)
      inputs.push_back({std::span(closes).subspan(s * kBars, kBars), {}, {}});
    for (std::size_t k = 0; k < outputs.size(); ++k)
      outputs[k].trend = std::span(trends).subspan(k * kBars, kBars);
  }
  Batch batch() const { return {pointers, inputs, outputs}; }

  std::vector<double> closes;
  std::vector<std::int8_t> trends;
  std::vector<std::unique_ptr<const engine::Plan>> made;
  std::vector<const engine::Plan*> pointers;
  std::vector<engine::BatchInput> inputs;
  std::vector<engine::BatchOutput> outputs;
};

TEST(BatchLayoutTest, ChunksOfManyPlansAreAsLargeAsAsked) {
  const Trends market(100, 1);
  const Batch batch = market.batch();
  constexpr std::int64_t kMost = std::int64_t{1}
                                 << 19;  // some ten series with their trends, a byte a bar each
  const std::vector<Chunk> chunks = chunks_of(batch, 1, 0, kMost);
  std::vector<std::size_t> members;
  for (const Chunk& chunk : chunks) {
    const Layout layout = lay_out(batch, chunk);
    EXPECT_LT(layout.bytes - layout.series.front().closes - layout.crossing_bytes, 5 * kMost / 4);
    members.insert(members.end(), chunk.members.begin(), chunk.members.end());
  }
  std::vector<std::size_t> all(kSeries);
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::sort(members.begin(), members.end());
  EXPECT_EQ(members, all);
}

TEST(BatchLayoutTest, WhatAllChunksHaveACopyOfIsNotMostOfThem) {
  const Trends market(100, 100);  // 0.4 MB of growth factors
  const Batch batch = market.batch();
  for (const Chunk& chunk : chunks_of(batch, kSeries, 1, 1 << 16)) {
    const Layout layout = lay_out(batch, chunk);
    const std::int64_t copied = layout.series.front().closes - layout.plans;
    if (chunk.members.front() + chunk.members.size() == kSeries) continue;  // what is left
    EXPECT_LT(copied, layout.bytes - copied);
  }
}

TEST(BatchLayoutTest, EveryCardHasRoomForTheLongestWindows) {
  engine::Parameters parameters;
  parameters.robustness = engine::Robustness::wide;
  const auto is_allowed = [&](int length) {
    parameters.lengths.fill(length);
    return engine::validate(parameters).empty();
  };
  int length = 28;
  while (is_allowed(length + 1)) ++length;
  ASSERT_GE(length, 5000);
  ASSERT_TRUE(is_allowed(length));
  EXPECT_LE(shared_bytes_of(engine::Plan(parameters)), 64 << 10);  // compute capability 7.5
}

}  // namespace
}  // namespace atcd::gpu
