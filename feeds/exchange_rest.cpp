#include "feeds/exchange_rest.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "feeds/clocks.hpp"
#include "feeds/fold.hpp"
#include "feeds/interval_source.hpp"

namespace atcd::feeds {
namespace {

// Without the symbols nothing else is known to be worth asking for.
constexpr int kSymbolsPriority = std::numeric_limits<int>::min();
constexpr std::int64_t kWithoutEnd = std::numeric_limits<std::int64_t>::max();
constexpr std::chrono::seconds kWorthTelling{5};
constexpr std::chrono::minutes kBetweenReports{1};

/// Where most rows are no bars, and not one alone, it is the form that we do not know: the others prove
/// nothing.
void refuse_mostly_unusable(HistoryResult& result) {
  if (result.unusable_ms.size() <= std::max<std::size_t>(result.rows.size(), 1)) return;
  result.error = RestError::bad_body;
  result.rows.clear();
  result.unusable_ms.clear();
}

RestOptions options_of(const Exchange& exchange, HttpOptions http, std::shared_ptr<AddressLimits> limits) {
  http.used_header = exchange.rest_limit().used_header;
  RestOptions options;
  options.http = std::move(http);
  options.limits = std::move(limits);
  options.pause_asked = [&exchange](unsigned status, std::string_view body) {
    return exchange.pause_asked(status, body);
  };
  return options;
}

}  // namespace

ExchangeRest::ExchangeRest(boost::asio::io_context& io, const Exchange& exchange, const HttpOptions& http,
                           std::shared_ptr<AddressLimits> limits, RestClient::Log log, FeedCounters& counters,
                           ExchangeTime& exchange_time)
    : exchange_(exchange),
      log_(log),
      counters_(counters),
      exchange_time_(exchange_time),
      clock_(exchange.settling_time().count()),
      client_(io, options_of(exchange, http, std::move(limits)), std::move(log)) {}

void ExchangeRest::get(std::string target, int weight, int priority, std::function<void(RestReply)> done) {
  ++counters_.rest_requests;
  client_.get({std::move(target), weight, priority, [this, done = std::move(done)](RestReply reply) {
                 if (reply.error != RestError::none) ++counters_.rest_errors;
                 if (reply.server_time_ms != 0) {
                   exchange_time_.on_answer(reply.server_time_ms, reply.sent_ms, reply.received_ms);
                   clock_ahead_ms_ = reply.server_time_ms - reply.received_ms;
                 }
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

/// A request for bars that are folded from rows of `base`.
struct ExchangeRest::Folding {
  HistoryRequest asked;
  engine::Interval base, target;
  std::int64_t first, last;  // ordinals of the rows that are still to be asked for
  HistoryResult rows;        // so far
};

void ExchangeRest::fetch(const HistoryRequest& request, int priority,
                         std::function<void(HistoryResult)> done) {
  const auto target = engine::Interval::parse(request.interval);
  const auto base = target ? rows_from(exchange_, *target) : std::nullopt;
  if (!base || *base == *target) return fetch_page(request, priority, std::move(done));
  const std::int64_t end_ms = target->close_time_ms(request.to_ms);
  fetch_parts({request, *base, *target, base->ordinal(request.from_ms), base->ordinal(end_ms) - 1, {}},
              priority, std::move(done));
}

/// The newest page first: what an answer shows to have a successor had closed when an older page is read
/// later; and of the answers' clocks the first is the one that proves something about the newest row.
void ExchangeRest::fetch_parts(Folding folding, int priority, std::function<void(HistoryResult)> done) {
  const std::int64_t first = std::max(folding.first, folding.last - exchange_.history_rows_per_request() + 1);
  const HistoryRequest page{folding.asked.symbol, folding.base.text(), folding.base.open_time_ms(first),
                            folding.base.open_time_ms(folding.last), 0};
  fetch_page(page, priority,
             [this, first, priority, folding = std::move(folding),
              done = std::move(done)](HistoryResult parts) mutable {
               HistoryResult& all = folding.rows;
               if (parts.error != RestError::none && parts.error != RestError::bad_rows)
                 return done(std::move(parts));
               if (parts.error == RestError::bad_rows) {
                 all.error = parts.error;
                 all.message = std::move(parts.message);
               }
               for (const std::int64_t open_ms : parts.unusable_ms)
                 all.unusable_ms.push_back(folding.target.open_time_ms(folding.target.ordinal(open_ms)));
               if (all.server_time_ms == 0) all.server_time_ms = parts.server_time_ms;
               all.rows.insert(all.rows.begin(), parts.rows.begin(), parts.rows.end());
               if (first > folding.first) {
                 folding.last = first - 1;
                 return fetch_parts(std::move(folding), priority, std::move(done));
               }
               all.rows = fold_rows(all.rows, folding.target);
               std::erase_if(all.rows, [&](const engine::Bar& bar) {
                 return std::count(all.unusable_ms.begin(), all.unusable_ms.end(), bar.open_time_ms) > 0;
               });
               // Where the exchange has only so many rows, it may lack the first ones of a slot.
               if (const std::int64_t depth = exchange_.history_depth(); depth != kWithoutEnd) {
                 const std::int64_t oldest = folding.base.ordinal(all.server_time_ms) - depth + 1;
                 const std::int64_t oldest_ms = folding.base.open_time_ms(oldest);
                 std::erase_if(all.rows,
                               [&](const engine::Bar& bar) { return bar.open_time_ms < oldest_ms; });
               }
               refuse_mostly_unusable(all);
               done(std::move(all));
             });
}

/// Of a page that is refused: a row that is told for years would keep back all that lie beside it.
void ExchangeRest::read_usable(std::string_view body, HistoryRequest request, HistoryResult& result) const {
  request.with_unusable = true;
  std::vector<engine::Bar> rows;
  std::string why;
  if (!exchange_.parse_history(body, request, rows, why)) return;
  result.error = RestError::bad_rows;
  for (const engine::Bar& row : rows) {
    if (engine::is_valid(row)) {
      result.rows.push_back(row);
    } else {
      result.unusable_ms.push_back(row.open_time_ms);
    }
  }
  refuse_mostly_unusable(result);
}

void ExchangeRest::fetch_page(const HistoryRequest& asked, int priority,
                              std::function<void(HistoryResult)> done) {
  HistoryRequest request = asked;
  request.asked_at_ms = clock_ahead_ms_ ? monotonic_ms() + *clock_ahead_ms_ : utc_ms();
  get(exchange_.history_target(request), exchange_.history_weight(request), priority,
      [this, request, done = std::move(done)](RestReply reply) mutable {
        request.answered_at_ms = reply.server_time_ms;
        HistoryResult result{
            reply.error, std::move(reply.message), {}, clock_.believe(reply.server_time_ms, monotonic_ms())};
        if (result.error == RestError::none &&
            !exchange_.parse_history(reply.body, request, result.rows, result.message)) {
          result.error = RestError::bad_body;
          ++counters_.rest_errors;
          read_usable(reply.body, request, result);
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
