#include "daemon/commands/exchange_reader.hpp"

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

namespace atcd::daemon {

ExchangeReader::ExchangeReader(const FeedConfig& feed)
    : exchange_(*feeds::find_exchange(feed.exchange, feed.market)),
      feed_(io_, exchange_, {feed.websocket_url, feed.rest_url, feed.ca_file, feed.rest_share}, *this) {}

feeds::SymbolsResult ExchangeReader::symbols(bool with_volumes) {
  feeds::SymbolsResult result;
  feed_.fetch_symbols(with_volumes, [&](feeds::SymbolsResult found) {
    result = std::move(found);
    stop();
  });
  run();
  return result;
}

feeds::HistoryResult ExchangeReader::history(const feeds::HistoryRequest& request) {
  feeds::HistoryResult result;
  ask(request, [&](feeds::HistoryResult found) {
    result = std::move(found);
    stop();
  });
  run();
  return result;
}

void ExchangeReader::later(std::chrono::milliseconds wait, std::function<void()> then) {
  auto timer = std::make_unique<boost::asio::steady_timer>(io_, wait);
  boost::asio::steady_timer& waits = *timer;
  waits.async_wait(
      [timer = std::move(timer), then = std::move(then)](const boost::system::error_code&) { then(); });
}

}  // namespace atcd::daemon
