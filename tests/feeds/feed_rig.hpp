#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <set>
#include <string>

#include "feeds/binance.hpp"
#include "feeds/feed.hpp"
#include "tests/feeds/exchange_wrapper.hpp"
#include "tests/feeds/feed_recorder.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/feeds/local_server.hpp"

namespace atcd::feeds::testing {

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
