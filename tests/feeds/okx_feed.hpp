#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "feeds/feed.hpp"
#include "feeds/okx.hpp"
#include "tests/feeds/exchange_wrapper.hpp"
#include "tests/feeds/local_server.hpp"

namespace atcd::feeds::testing {

/// What a feed told.
struct OkxRecorder final : FeedHandler {
  void on_trade(StreamIndex stream, const Trade& trade, std::int64_t) override {
    trades[stream].push_back(trade.price);
  }
  void on_kline(StreamIndex stream, const Kline& kline, std::int64_t) override {
    if (kline.closed) closed[stream].push_back(kline.bar);
  }
  void on_stream_up(StreamIndex stream) override { ups.push_back(stream); }
  void on_stream_down(StreamIndex stream, std::string_view) override { downs.push_back(stream); }
  void on_trades_interrupted(StreamIndex) override {}
  void on_stream_refused(StreamIndex stream, std::string_view reason) override {
    refused.push_back(stream);
    last_reason = reason;
  }
  void on_feed_event(Severity, std::string_view event, std::string_view detail) override {
    events.emplace_back(std::string(event) + " " + std::string(detail));
  }

  std::vector<StreamIndex> ups, downs, refused;
  std::map<StreamIndex, std::vector<engine::Bar>> closed;
  std::map<StreamIndex, std::vector<double>> trades;
  std::vector<std::string> events;
  std::string last_reason;
};

/// A feed of OKX spot, against a server of the test's or another.
class OkxFeed : public ::testing::Test {
 protected:
  void connect(const std::string& websocket_url, const std::string& rest_url) {
    FeedOptions options;
    options.websocket_url = websocket_url;
    options.rest_url = rest_url;
    feed_ = std::make_unique<Feed>(io_, exchange_, options, recorder_);
  }
  void start() {
    server_ = std::make_unique<LocalServer>(io_);
    connect(server_->websocket_url(), server_->rest_url());
  }
  void add(StreamIndex count) {
    for (StreamIndex i = 0; i < count; ++i) feed_->add(i, {symbol(i), "1m"});
  }
  static std::string symbol(StreamIndex i) { return "SYM" + std::to_string(i) + "-USDT"; }
  template <class Condition>
  void wait(Condition condition) {
    ASSERT_TRUE(run_until(io_, condition)) << ::testing::PrintToString(recorder_.events);
  }

  boost::asio::io_context io_;
  OkxRecorder recorder_;
  ExchangeWrapper exchange_{okx_spot()};
  std::unique_ptr<LocalServer> server_;
  std::unique_ptr<Feed> feed_;
};

}  // namespace atcd::feeds::testing
