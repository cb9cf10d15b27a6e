#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "feeds/exchange.hpp"
#include "feeds/exchange_clock.hpp"
#include "feeds/exchange_time.hpp"
#include "feeds/feed.hpp"
#include "feeds/rest_client.hpp"

namespace atcd::feeds {

/// An exchange's REST side: pages of history and the list of symbols, within the limits. Destroying it drops
/// what is under way, and no callback comes after that.
class ExchangeRest {
 public:
  ExchangeRest(boost::asio::io_context& io, const Exchange& exchange, const HttpOptions& http,
               std::shared_ptr<AddressLimits> limits, RestClient::Log log, FeedCounters& counters,
               ExchangeTime& exchange_time);

  /// Rows of an interval that the exchange does not offer are folded from those of the longest that divides
  /// it, in as many requests as it takes.
  void fetch(const HistoryRequest& request, int priority, std::function<void(HistoryResult)> done);
  void fetch_symbols(bool with_volumes, std::function<void(SymbolsResult)> done);
  void hold(bool held) { client_.hold(held); }
  std::chrono::milliseconds estimated_time() const { return client_.estimated_time(); }

 private:
  struct Folding;
  void read_usable(std::string_view body, HistoryRequest request, HistoryResult& result) const;
  void fetch_page(const HistoryRequest& request, int priority, std::function<void(HistoryResult)> done);
  void fetch_parts(Folding folding, int priority, std::function<void(HistoryResult)> done);
  void fetch_symbols_page(SymbolsResult so_far, const std::string& page, bool with_volumes,
                          std::function<void(SymbolsResult)> done);
  void fetch_volumes(SymbolsResult result, std::function<void(SymbolsResult)> done);
  void get(std::string target, int weight, int priority, std::function<void(RestReply)> done);
  void report_queue();

  const Exchange& exchange_;
  RestClient::Log log_;
  FeedCounters& counters_;
  ExchangeTime& exchange_time_;
  ExchangeClock clock_;
  std::chrono::steady_clock::time_point reported_at_{};
  std::optional<std::int64_t> clock_ahead_ms_;  // the exchange's, of the monotonic one, when it last answered
  RestClient client_;
};

}  // namespace atcd::feeds
