#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "feeds/binance.hpp"
#include "feeds/feed.hpp"
#include "tests/feeds/exchange_wrapper.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/feeds/local_server.hpp"

namespace atcd::feeds::testing {

/// What a feed told.
struct FeedRecorder final : FeedHandler {
  struct Seen {
    StreamIndex stream;
    engine::Bar bar;
    bool closed;
  };
  void on_trades_interrupted(StreamIndex) override {}
  void on_trade(StreamIndex, const Trade&, std::int64_t) override {}
  void on_kline(StreamIndex stream, const Kline& kline, std::int64_t received_us) override {
    klines.push_back({stream, kline.bar, kline.closed});
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
  std::vector<StreamIndex> ups, downs, refused;
  std::vector<std::string> events;
  std::string last_reason;
  std::function<void()> then;
};

/// The request number in {"method":...,"id":7}.
inline std::string id_of(const std::string& request) {
  const auto at = request.rfind("\"id\":") + 5;
  return request.substr(at, request.size() - at - 1);
}

inline bool subscribes(const std::string& request) {
  return request.find("\"SUBSCRIBE\"") != std::string::npos;
}

/// A feed of Binance spot, against a server of the test's.
class FeedTest : public ::testing::Test {
 protected:
  /// An exchange that acknowledges everything.
  void start(const std::string& certificate = {}) {
    server_ = std::make_unique<LocalServer>(io_, certificate);
    server_->on_text = [this](Peer& peer, const std::string& text) {
      if (acknowledge_) peer.send("{\"result\":null,\"id\":" + id_of(text) + "}");
    };
    FeedOptions options;
    options.websocket_url = server_->websocket_url();
    options.rest_url = server_->rest_url();
    if (!certificate.empty()) options.ca_file = Certificates::get().file("ca.pem");
    feed_ = std::make_unique<Feed>(io_, exchange_, options, recorder_);
  }
  void add(StreamIndex from, StreamIndex to) {
    for (StreamIndex i = from; i <= to; ++i) feed_->add(i, {"SYM" + std::to_string(i) + "USDT", "1m"});
  }
  template <class Condition>
  void wait(Condition condition) {
    ASSERT_TRUE(run_until(io_, condition)) << ::testing::PrintToString(recorder_.events);
  }
  std::set<StreamIndex> up() const { return {recorder_.ups.begin(), recorder_.ups.end()}; }
  std::string frame_of(StreamIndex stream) const {
    std::string frame = frame_text("binance/2026-11-23-spot-kline-closed.json");
    const std::string symbol = "SYM" + std::to_string(stream) + "USDT";
    for (auto at = frame.find("BTCUSDT"); at != std::string::npos; at = frame.find("BTCUSDT"))
      frame.replace(at, 7, symbol);
    return frame;
  }
  Peer& peer(std::size_t index) { return *server_->peers.at(index); }

  boost::asio::io_context io_;
  FeedRecorder recorder_;
  ExchangeWrapper exchange_{binance_spot()};
  std::unique_ptr<LocalServer> server_;
  std::unique_ptr<Feed> feed_;
  bool acknowledge_ = true;
};

}  // namespace atcd::feeds::testing
