#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "feeds/feed.hpp"

namespace atcd::feeds::testing {

/// What a feed told.
struct FeedRecorder final : FeedHandler {
  struct Seen {
    StreamIndex stream;
    engine::Bar bar;
    bool closed;
  };
  void on_trades_interrupted(StreamIndex) override {}
  void on_trade(StreamIndex stream, const Trade& trade, std::int64_t) override {
    trades[stream].push_back(trade.price);
  }
  void on_kline(StreamIndex stream, const Kline& kline, std::int64_t received_us) override {
    klines.push_back({stream, kline.bar, kline.closed});
    if (kline.closed) closed[stream].push_back(kline.bar);
    EXPECT_GT(received_us, 0);
    if (then) then();
  }
  void on_stream_up(StreamIndex stream) override { ups.push_back(stream); }
  void on_stream_down(StreamIndex stream, std::string_view reason) override {
    downs.push_back(stream);
    last_reason = reason;
  }
  void on_stream_refused(StreamIndex stream, std::string_view reason) override {
    refused.push_back(stream);
    last_reason = reason;
  }
  void on_feed_event(Severity, std::string_view event, std::string_view detail) override {
    events.emplace_back(std::string(event) + " " + std::string(detail));
  }
  std::size_t count(std::string_view event) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [&](const std::string& each) { return each.starts_with(event); }));
  }

  std::vector<Seen> klines;
  std::map<StreamIndex, std::vector<engine::Bar>> closed;  // of klines
  std::map<StreamIndex, std::vector<double>> trades;       // their prices
  std::vector<StreamIndex> ups, downs, refused;
  std::vector<std::string> events;
  std::string last_reason;
  std::function<void()> then;
};

}  // namespace atcd::feeds::testing
