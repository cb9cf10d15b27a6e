#include "feeds/exchange_rest.hpp"

#include <limits>
#include <utility>

namespace atcd::feeds {
namespace {

// Without the symbols nothing else is known to be worth asking for.
constexpr int kSymbolsPriority = std::numeric_limits<int>::min();
constexpr std::chrono::seconds kWorthTelling{5};
constexpr std::chrono::minutes kBetweenReports{1};

std::int64_t utc_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t monotonic_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

RestOptions options_of(const Exchange& exchange, HttpOptions http, double rest_share) {
  const RestLimit limit = exchange.rest_limit();
  http.used_header = limit.used_header;
  RestOptions options;
  options.http = std::move(http);
  options.weight = limit.weight;
  options.window = limit.window;
  options.share = rest_share;
  return options;
}

}  // namespace

ExchangeRest::ExchangeRest(boost::asio::io_context& io, const Exchange& exchange, const HttpOptions& http,
                           double rest_share, RestClient::Log log, FeedCounters& counters)
    : exchange_(exchange),
      log_(log),
      counters_(counters),
      clock_(exchange.settling_time().count()),
      client_(io, options_of(exchange, http, rest_share), std::move(log)) {}

void ExchangeRest::get(std::string target, int weight, int priority, std::function<void(RestReply)> done) {
  ++counters_.rest_requests;
  client_.get({std::move(target), weight, priority, [this, done = std::move(done)](RestReply reply) {
                 if (reply.error != RestError::none) ++counters_.rest_errors;
                 done(std::move(reply));
               }});
  report_queue();
}

void ExchangeRest::report_queue() {
  const auto time = client_.estimated_time();
  const auto now = std::chrono::steady_clock::now();
  if (time < kWorthTelling || now - reported_at_ < kBetweenReports) return;
  reported_at_ = now;
  log_(Severity::info, "rest_queue",
       "requests=" + std::to_string(client_.pending()) +
           " estimated_seconds=" + std::to_string(time.count() / 1000));
}

void ExchangeRest::fetch(const HistoryRequest& asked, int priority, std::function<void(HistoryResult)> done) {
  HistoryRequest request = asked;
  request.asked_at_ms = utc_ms();
  get(exchange_.history_target(request), exchange_.history_weight(request), priority,
      [this, request, done = std::move(done)](RestReply reply) {
        HistoryResult result{
            reply.error, std::move(reply.message), {}, clock_.believe(reply.server_time_ms, monotonic_ms())};
        if (result.error == RestError::none &&
            !exchange_.parse_history(reply.body, request, result.rows, result.message)) {
          result.error = RestError::bad_body;
          ++counters_.rest_errors;
        }
        done(std::move(result));
      });
}

void ExchangeRest::fetch_symbols(bool with_volumes, std::function<void(SymbolsResult)> done) {
  fetch_symbols_page({}, "", with_volumes, std::move(done));
}

void ExchangeRest::fetch_symbols_page(SymbolsResult so_far, const std::string& page, bool with_volumes,
                                      std::function<void(SymbolsResult)> done) {
  get(exchange_.symbols_target(page), exchange_.symbols_weight(), kSymbolsPriority,
      [this, result = std::move(so_far), with_volumes, done = std::move(done)](RestReply reply) mutable {
        std::string next_page;
        result.error = reply.error;
        result.message = std::move(reply.message);
        result.server_time_ms = reply.server_time_ms;
        const std::size_t before = result.symbols.size();
        if (result.error == RestError::none &&
            !exchange_.parse_symbols(reply.body, result.symbols, next_page, result.message)) {
          result.error = RestError::bad_body;
          ++counters_.rest_errors;
        }
        // A part of the list would look as if the others had been delisted. A page that brings nothing is the
        // last, or a server would keep us asking for ever.
        if (result.error != RestError::none) result.symbols.clear();
        if (!next_page.empty() && result.symbols.size() > before)
          return fetch_symbols_page(std::move(result), next_page, with_volumes, std::move(done));
        if (!with_volumes || result.error != RestError::none) return done(std::move(result));
        fetch_volumes(std::move(result), std::move(done));
      });
}

void ExchangeRest::fetch_volumes(SymbolsResult result, std::function<void(SymbolsResult)> done) {
  get(exchange_.volumes_target(), exchange_.volumes_weight(), kSymbolsPriority,
      [this, result = std::move(result), done = std::move(done)](RestReply reply) mutable {
        result.error = reply.error;
        result.message = std::move(reply.message);
        result.server_time_ms = reply.server_time_ms;
        if (result.error == RestError::none &&
            !exchange_.parse_volumes(reply.body, result.symbols, result.message)) {
          result.error = RestError::bad_body;
          ++counters_.rest_errors;
        }
        if (result.error != RestError::none) result.symbols.clear();
        done(std::move(result));
      });
}

}  // namespace atcd::feeds
