#include <gtest/gtest.h>

#include <string>

#include "engine/anchor.hpp"
#include "feeds/bybit.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds {
namespace {

using testing::Parsed;

constexpr std::int64_t kFridayMs = 1'795'737'600'000;  // 2026-11-27

Parsed parse_file(const std::string& name) {
  return testing::parse_frame(*new_bybit_frame_parser(),
                              testing::frame_text("bybit/2026-11-27-" + name + ".json"));
}

TEST(BybitTradeFrame, TradesAreReadInTheirOrder) {
  const Parsed one = parse_file("linear-trade");
  ASSERT_EQ(one.kind, FrameKind::trades) << one.text;
  ASSERT_EQ(one.trades.size(), 1U);
  EXPECT_EQ(one.trades[0].symbol, "BTCUSDT");
  EXPECT_EQ(one.trades[0].price, 91212.5);
  EXPECT_EQ(one.trades[0].quantity, 0.015);
  EXPECT_EQ(one.trades[0].time_ms, kFridayMs + 1206);
  EXPECT_EQ(one.trades[0].event_time_ms, kFridayMs + 1207);
  EXPECT_EQ(one.trades[0].first_id, 0) << "ids do not count trades";
  EXPECT_EQ(one.trades[0].identity, engine::fnv1a_64("0b7f8f6e-43d3-5d4e-9a70-3f1f2a0c5c11") | 1);
  EXPECT_FALSE(one.trades[0].off_book);
  const Parsed several = parse_file("linear-trades-several");
  ASSERT_EQ(several.trades.size(), 3U) << several.text;
  EXPECT_EQ(several.trades[2].price, 3021.38);
  EXPECT_NE(several.trades[0].identity, several.trades[1].identity);
  const Parsed event = parse_file("linear-trades-of-one-event");
  ASSERT_EQ(event.trades.size(), 2U);
  EXPECT_EQ(event.trades[0].price, event.trades[1].price);
  EXPECT_NE(event.trades[0].identity, event.trades[1].identity) << "alike, but two";
  const Parsed block = parse_file("linear-trade-block");
  ASSERT_EQ(block.trades.size(), 1U) << block.text;
  EXPECT_TRUE(block.trades[0].off_book);
  const Parsed spot = parse_file("spot-trade");
  ASSERT_EQ(spot.trades.size(), 1U) << spot.text;
  EXPECT_EQ(spot.trades[0].quantity, 0.003117);
  EXPECT_EQ(spot.trades[0].identity, engine::fnv1a_64("2290000001300411207") | 1);
  const Parsed inverse = parse_file("inverse-trade");
  ASSERT_EQ(inverse.trades.size(), 1U) << inverse.text;
  EXPECT_EQ(inverse.trades[0].quantity, 2500) << "contracts";
}

}  // namespace
}  // namespace atcd::feeds
