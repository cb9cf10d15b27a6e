#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "feeds/feed.hpp"
#include "feeds/okx.hpp"
#include "tests/feeds/exchange_wrapper.hpp"
#include "tests/feeds/feed_recorder.hpp"
#include "tests/feeds/local_server.hpp"

namespace atcd::feeds::testing {

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
  FeedRecorder recorder_;
  ExchangeWrapper exchange_{okx_spot()};
  std::unique_ptr<LocalServer> server_;
  std::unique_ptr<Feed> feed_;
};

}  // namespace atcd::feeds::testing
