#include "engine/anchor.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace atcd::engine {
namespace {

constexpr std::string_view kIntervals[] = {"1s", "1m", "3m",  "5m", "15m", "30m", "1h", "2h", "4h",
                                           "6h", "8h", "12h", "1d", "3d",  "1w",  "1M", "3M"};

TEST(AnchorTest, TheHashIsFnv1aWith64Bits) {
  // From the authors' published test vectors.
  EXPECT_EQ(fnv1a_64(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(fnv1a_64("a"), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(fnv1a_64("foobar"), 0x85944171f73967e8ULL);
}

TEST(AnchorTest, ThePhaseIsTheHashOfTheNameWithinThePeriod) {
  EXPECT_EQ(anchor_phase("foobar", 1500), static_cast<std::int64_t>(0x85944171f73967e8ULL % 1500));
  std::set<std::int64_t> phases;
  for (int i = 0; i < 200; ++i) {
    const std::int64_t phase = anchor_phase("binance:spot:S" + std::to_string(i) + ":1m:default", 1500);
    EXPECT_GE(phase, 0);
    EXPECT_LT(phase, 1500);
    phases.insert(phase);
  }
  EXPECT_GT(phases.size(), 150U) << "the changes of anchor are not spread over the period";
  EXPECT_EQ(anchor_phase("anything", 1), 0);
}

TEST(AnchorTest, EveryBarOfASegmentHasItsAnchorAndTheNextSegmentBeginsOnePeriodLater) {
  for (const auto text : kIntervals) {
    const Interval interval = *Interval::parse(text);
    for (const std::int64_t history : {1, 700, 1500}) {
      for (const std::int64_t period : {1, 7, 1500}) {
        const AnchorRule rule{history, period, {}};
        const std::int64_t phase = anchor_phase("binance:spot:BTCUSDT:1m:default", period);
        const std::int64_t now = interval.ordinal(1'795'000'000'000);
        for (std::int64_t n = now - 3200; n < now + 10; ++n) {
          const Segment segment = *segment_of(rule, interval, phase, n);
          // k = floor((n - phase)/P): the largest k with k*P + phase <= n.
          EXPECT_LE(segment.first_ordinal, n);
          EXPECT_GT(segment.end_ordinal, n);
          EXPECT_EQ(segment.end_ordinal - segment.first_ordinal, period);
          EXPECT_EQ((segment.first_ordinal - phase) % period, 0);
          EXPECT_EQ(segment.anchor_ordinal, segment.first_ordinal - history);
          // Computed over H to H+P-1 slots before the bar.
          EXPECT_GE(n - segment.anchor_ordinal, history);
          EXPECT_LT(n - segment.anchor_ordinal, history + period);
          EXPECT_EQ(*segment_of(rule, interval, phase, segment.first_ordinal), segment);
          EXPECT_EQ(*segment_of(rule, interval, phase, segment.end_ordinal - 1), segment);
        }
      }
    }
  }
}

TEST(AnchorTest, OrdinalsBelowThePhaseFloorDownward) {
  // Monthly bars have small ordinals, which may lie below the phase.
  const AnchorRule rule{10, 100, {}};
  const Interval month(1, Interval::Unit::month);
  EXPECT_EQ(*segment_of(rule, month, 40, 39), (Segment{-70, -60, 40}));
  EXPECT_EQ(*segment_of(rule, month, 40, 40), (Segment{30, 40, 140}));
  EXPECT_EQ(*segment_of(rule, month, 40, -60), (Segment{-70, -60, 40}));
  EXPECT_EQ(*segment_of(rule, month, 40, -61), (Segment{-170, -160, -60}));
}

TEST(AnchorTest, AFixedAnchorIsOneSegmentWithoutEnd) {
  constexpr std::int64_t kNewYear2024 = 1'704'067'200'000;  // a Monday
  for (const auto text : kIntervals) {
    const Interval interval = *Interval::parse(text);
    const AnchorRule rule{1500, 1500, kNewYear2024};
    const std::int64_t slot = interval.ordinal(kNewYear2024 - 1) + 1;
    EXPECT_GE(interval.open_time_ms(slot), kNewYear2024) << text;
    EXPECT_LT(interval.open_time_ms(slot - 1), kNewYear2024) << text;
    EXPECT_FALSE(segment_of(rule, interval, 5, slot - 1)) << text;
    for (const std::int64_t n : {slot, slot + 1, slot + 100'000}) {
      const auto segment = segment_of(rule, interval, 5, n);
      ASSERT_TRUE(segment) << text;
      EXPECT_EQ(segment->anchor_ordinal, slot) << text;
      EXPECT_EQ(segment->first_ordinal, slot) << text;
      EXPECT_GT(segment->end_ordinal, n) << text;
    }
  }
  // Inside a slot: the first slot that begins after it.
  const Interval hour(1, Interval::Unit::hour);
  const AnchorRule inside{1500, 1500, kNewYear2024 + 1};
  const std::int64_t next = hour.ordinal(kNewYear2024) + 1;
  EXPECT_FALSE(segment_of(inside, hour, 0, next - 1));
  EXPECT_EQ(segment_of(inside, hour, 0, next)->anchor_ordinal, next);
}

}  // namespace
}  // namespace atcd::engine
