#include "daemon/commands/exchange_reader.hpp"

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

}  // namespace atcd::daemon
