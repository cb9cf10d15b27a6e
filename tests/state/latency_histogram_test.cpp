#include "state/latency_histogram.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace atcd::state {
namespace {

using std::chrono::nanoseconds;

std::size_t bucket_of(std::int64_t ns) {
  LatencyHistogram histogram;
  histogram.add(nanoseconds(ns));
  for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
    if (histogram.counts()[i] == 1) return i;
  }
  return ~std::size_t{0};
}

TEST(LatencyHistogram, EveryTimeIsInTheFirstBucketThatIsNotBelowIt) {
  const auto& bounds = LatencyHistogram::kBoundsNs;
  EXPECT_EQ(bounds.front(), 100);
  EXPECT_EQ(bounds.back(), 50'000'000'000);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    EXPECT_EQ(bucket_of(bounds[i]), i);
    EXPECT_EQ(bucket_of(bounds[i] + 1), i + 1);
    EXPECT_EQ(bucket_of(bounds[i] - 1), i);
  }
  for (std::int64_t ns = 1; ns < 100'000'000'000; ns += ns / 7 + 1) {
    std::size_t expected = 0;
    while (expected < bounds.size() && bounds[expected] < ns) ++expected;
    ASSERT_EQ(bucket_of(ns), expected) << ns;
  }
  EXPECT_EQ(bucket_of(0), 0U);
  EXPECT_EQ(bucket_of(-5), 0U);
  EXPECT_EQ(bucket_of(std::numeric_limits<std::int64_t>::max()), bounds.size());
}

TEST(LatencyHistogram, SumsAndQuantiles) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.quantile_s(0.99), 0);
  for (int i = 0; i < 99; ++i) histogram.add(nanoseconds(1500));
  histogram.add(std::chrono::seconds(60));
  LatencyHistogram all;
  all += histogram;
  all += histogram;
  EXPECT_EQ(all.count(), 200U);
  EXPECT_DOUBLE_EQ(all.sum_s(), 2 * (99 * 1500e-9 + 60));
  EXPECT_EQ(all.quantile_s(0.5), 2e-6);
  EXPECT_EQ(all.quantile_s(0.99), 2e-6);
  EXPECT_EQ(all.quantile_s(1), 50);  // beyond all bounds: the last
}

}  // namespace
}  // namespace atcd::state
