#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "daemon/config.hpp"
#include "feeds/feed.hpp"

namespace atcd::daemon {

/// REST questions to a feed's exchange, for commands, not for the daemon: one at a time, each waited for, or
/// many at once.
class ExchangeReader final : feeds::FeedHandler {
 public:
  /// Throws std::exception for a URL or a CA file that is of no use.
  explicit ExchangeReader(const FeedConfig& feed);

  const feeds::Exchange& exchange() const { return exchange_; }
  feeds::SymbolsResult symbols(bool with_volumes);
  feeds::HistoryResult history(const feeds::HistoryRequest& request);

  /// Puts down a question; `take` is called from run().
  void ask(const feeds::HistoryRequest& request, std::function<void(feeds::HistoryResult)> take) {
    feed_.fetch_history(request, 0, std::move(take));
  }
  /// Calls `then` from run(), so much later.
  void later(std::chrono::milliseconds wait, std::function<void()> then);
  /// Until stop(), which an answer calls.
  void run() {
    io_.restart();
    io_.run();
  }
  void stop() { io_.stop(); }

 private:
  // Nothing is subscribed.
  void on_trade(feeds::StreamIndex, const feeds::Trade&, std::int64_t) override {}
  void on_trades_interrupted(feeds::StreamIndex) override {}
  void on_kline(feeds::StreamIndex, const feeds::Kline&, std::int64_t) override {}
  void on_stream_up(feeds::StreamIndex) override {}
  void on_stream_down(feeds::StreamIndex, std::string_view) override {}
  void on_stream_refused(feeds::StreamIndex, std::string_view) override {}
  void on_feed_event(feeds::Severity, std::string_view, std::string_view) override {}

  boost::asio::io_context io_{1};
  const feeds::Exchange& exchange_;
  feeds::Feed feed_;
};

}  // namespace atcd::daemon
