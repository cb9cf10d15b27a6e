#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

#include "feeds/binance.hpp"
#include "feeds/stream_names.hpp"
#include "tests/allocation_counter.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds {
namespace {

TEST(FeedAllocation, TheCounterCounts) {
  const long before = allocations;
  auto* volatile number = new int(1);
  delete number;
  EXPECT_GT(allocations, before);
}

TEST(FeedAllocation, NoFrameAllocatesOnItsWayToItsStream) {
  struct Sink final : FrameSink {
    const StreamNames& names;
    long found = 0;
    explicit Sink(const StreamNames& all) : names(all) {}
    void on_trade(const Trade& trade) override { found += names.find(trade.symbol, {}) != nullptr ? 1 : 0; }
    void on_kline(const Kline& kline) override {
      found += names.find(kline.symbol, kline.interval) != nullptr ? 1 : 0;
    }
  };
  StreamNames names;
  for (StreamIndex i = 0; i < 1000; ++i) names.add({"A-RATHER-LONG-SYMBOL-" + std::to_string(i), "1m"}, i);
  names.add({"BTCUSDT", "1m"}, 1000);
  names.add({"BTCUSDT", ""}, 1001);
  const simdjson::padded_string closed(testing::frame_text("binance/2026-11-23-spot-kline-closed.json"));
  const simdjson::padded_string forming(testing::frame_text("binance/2026-11-23-spot-kline-forming.json"));
  const simdjson::padded_string trade(testing::frame_text("binance/2026-11-23-agg-trade.json"));
  const auto parser = new_binance_frame_parser();
  Sink sink(names);
  parser->parse(std::string_view(closed.data(), closed.size()), sink);  // sizes the parser's scratch memory
  parser->parse(std::string_view(trade.data(), trade.size()), sink);
  const long before = allocations;
  for (int i = 0; i < 1000; ++i) {
    parser->parse(std::string_view(closed.data(), closed.size()), sink);
    parser->parse(std::string_view(forming.data(), forming.size()), sink);
    parser->parse(std::string_view(trade.data(), trade.size()), sink);
  }
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(sink.found, 3002);
}

}  // namespace
}  // namespace atcd::feeds
