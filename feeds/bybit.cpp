#include "feeds/bybit.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <limits>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "engine/series_id.hpp"
#include "feeds/json_number.hpp"
#include "feeds/json_text.hpp"

// The numbers are those of https://bybit-exchange.github.io/docs/v5: "Connect", "Rate Limit Rules",
// "Market > Get Kline", "Get Instruments Info" and "Get Tickers".

namespace atcd::feeds {
namespace {

namespace dom = simdjson::dom;
using engine::Interval;
using simdjson::SUCCESS;
using std::chrono::milliseconds;

struct Market {
  std::string_view name;  // also what requests call category
  std::string_view websocket_path;
  bool pages;  // the list of symbols comes in pages
  // Where the 24 h volume in the quote currency stands. A turnover is in the currency that settles: the quote
  // on spot and linear, the coin on inverse, whose contracts are worth 1 USD each.
  std::string_view quote_volume;
};

constexpr Market kSpot = {"spot", "/v5/public/spot", false, "turnover24h"};
constexpr Market kLinear = {"linear", "/v5/public/linear", true, "turnover24h"};
constexpr Market kInverse = {"inverse", "/v5/public/inverse", true, "volume24h"};

constexpr std::int64_t kRowsPerRequest = 1000;
constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
constexpr std::size_t kLongestQuotedMessage = 200;

/// Digits in full, in quotes.
bool read_integer(const dom::element& element, std::int64_t& value) {
  std::string_view text;
  if (element.get(text) != SUCCESS) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0;
}

/// One row: ["start", "open", "high", "low", "close", "volume", "turnover"]. Null, or what is wrong.
const char* read_row(const dom::element& row, const Interval& interval, bool unusable_too, engine::Bar& bar) {
  dom::array cells;
  if (row.get(cells) != SUCCESS) return "is not an array";
  if (cells.size() < 7) return "has less than 7 columns";
  std::array<dom::element, 6> cell;
  std::copy_n(cells.begin(), cell.size(), cell.begin());
  if (!read_integer(cell[0], bar.open_time_ms)) return "has no whole number in quotes as its start";
  if (!read_quoted(cell[1], bar.open) || !read_quoted(cell[2], bar.high) || !read_quoted(cell[3], bar.low) ||
      !read_quoted(cell[4], bar.close) || !read_quoted(cell[5], bar.volume)) {
    if (!unusable_too) return "has a price or volume that is no number in quotes";
    bar.low = 0;
  }
  if (bar.open_time_ms >= kYear10000Ms || !interval.is_boundary(bar.open_time_ms))
    return "does not open at a boundary of the interval";
  bar.close_time_ms = interval.close_time_ms(bar.open_time_ms);
  const bool usable = unusable_too || engine::is_valid(bar);
  return usable ? nullptr : "breaks 0 < low <= open, close <= high, volume >= 0";
}

/// What derivatives have beside a symbol of spot. A perpetual that leaves has a time of delivery too.
void read_contract(const dom::element& entry, SymbolInfo& info) {
  dom::element launch, delivery;
  std::int64_t listed_ms = 0, delivery_ms = 0;
  std::string_view settle, type;
  if (entry["launchTime"].get(launch) == SUCCESS && read_integer(launch, listed_ms))
    info.listed_ms = listed_ms;
  if (entry["settleCoin"].get(settle) == SUCCESS) info.settle = settle;
  const bool dated = entry["contractType"].get(type) == SUCCESS && type.ends_with("Futures");
  if (dated && entry["deliveryTime"].get(delivery) == SUCCESS && read_integer(delivery, delivery_ms))
    info.delivery_ms = delivery_ms;
}

/// Fit for a log line.
std::string quoted_message(std::string_view message) {
  std::string text(message.substr(0, kLongestQuotedMessage));
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
    if (c == '"') c = '\'';
  }
  return text;
}

class Bybit final : public Exchange {
 public:
  explicit Bybit(const Market& market) : market_(market) {}

  std::string_view name() const override { return "bybit"; }
  std::string_view market() const override { return market_.name; }
  bool offers(const Interval& interval) const override {
    return find_bybit_interval(&BybitInterval::ours, interval.text()) != nullptr;
  }

  std::string_view websocket_url() const override { return "wss://stream.bybit.com"; }
  std::string_view websocket_path(StreamKind) const override { return market_.websocket_path; }
  // What a connection is subscribed to may have 21,000 characters in all. Fewer spread the burst at a bar's
  // end over several sockets, and one cut then concerns few series.
  std::size_t streams_per_connection() const override { return 200; }
  // Spot refuses more in one request; the others take more, but an answer is for all of a request.
  std::size_t streams_per_request() const override { return 10; }
  milliseconds request_spacing() const override { return milliseconds(150); }  // no limit is documented
  milliseconds connection_lifetime() const override { return milliseconds(0); }
  // 500 in 5 minutes are granted to an address; half of them are left to others.
  milliseconds connect_spacing() const override { return milliseconds(1200); }
  int connects_at_once() const override { return 10; }
  std::string_view ping_text() const override { return R"({"op":"ping"})"; }
  std::string subscribe_text(std::span<const StreamName> streams, std::int64_t request_id) const override {
    return request_text("subscribe", streams, request_id);
  }
  std::string unsubscribe_text(std::span<const StreamName> streams, std::int64_t request_id) const override {
    return request_text("unsubscribe", streams, request_id);
  }
  std::unique_ptr<FrameParser> new_parser() const override { return new_bybit_frame_parser(); }

  bool marks_closed() const override { return true; }
  // Frames that close a bar were seen up to 0.6 s after its end.
  milliseconds settling_time() const override { return std::chrono::seconds(3); }

  // Ids are drawn on linear and inverse, and counted over several symbols on spot; seq counts events of the
  // matching engine, not trades.
  bool numbers_trades() const override { return false; }
  // Seen in every recorded bar; a trade counts by T, and high and low hold the open.
  bool opens_at_last_close() const override { return true; }

  std::string_view rest_url() const override { return "https://api.bybit.com"; }
  RestLimit rest_limit() const override { return {600, std::chrono::seconds(5), {}}; }
  std::chrono::seconds pause_asked(unsigned status, std::string_view body) const override;
  std::int64_t history_rows_per_request() const override { return kRowsPerRequest; }
  std::int64_t history_depth() const override { return std::numeric_limits<std::int64_t>::max(); }
  std::string history_target(const HistoryRequest& request) const override;
  int history_weight(const HistoryRequest&) const override { return 1; }
  bool parse_history(std::string_view body, const HistoryRequest& request, std::vector<engine::Bar>& rows,
                     std::string& error) const override;
  std::string symbols_target(std::string_view page) const override {
    std::string target = "/v5/market/instruments-info?category=" + std::string(market_.name);
    if (market_.pages) target += "&limit=1000";
    if (!page.empty()) target += "&cursor=" + engine::percent_encode(page);
    return target;
  }
  int symbols_weight() const override { return 1; }
  bool parse_symbols(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& next_page,
                     std::string& error) const override;
  std::string volumes_target() const override {
    return "/v5/market/tickers?category=" + std::string(market_.name);
  }
  int volumes_weight() const override { return 1; }
  bool parse_volumes(std::string_view body, std::vector<SymbolInfo>& symbols,
                     std::string& error) const override;

 private:
  /// {"op":"subscribe","args":["kline.1.BTCUSDT"],"req_id":"1"}
  static std::string request_text(std::string_view op, std::span<const StreamName> streams,
                                  std::int64_t request_id) {
    std::string text = R"({"op":")" + std::string(op) + R"(","args":[)";
    for (const StreamName& stream : streams) {
      std::string topic = "publicTrade.";
      if (stream.kind() == StreamKind::klines) {
        const BybitInterval* known = find_bybit_interval(&BybitInterval::ours, stream.interval);
        topic = "kline." + std::string(known == nullptr ? stream.interval : known->theirs) + ".";
      }
      if (text.back() != '[') text += ',';
      append_json_string(text, topic + stream.symbol);
    }
    return text + R"(],"req_id":")" + std::to_string(request_id) + "\"}";
  }

  static std::int64_t rows_of(const HistoryRequest& request, const Interval& interval) {
    if (request.to_ms < request.from_ms) return 1;
    const std::int64_t slots = interval.ordinal(request.to_ms) - interval.ordinal(request.from_ms) + 1;
    return std::clamp<std::int64_t>(slots, 1, kRowsPerRequest);
  }

  /// The list in {"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[...]},...}.
  bool open(dom::parser& parser, std::string_view body, dom::object& result, dom::array& list,
            std::string& error) const {
    dom::object answer;
    std::int64_t code = 0;
    std::string_view message, category;
    if (parser.parse(body.data(), body.size()).get(answer) != SUCCESS) {
      error = "the body is not a JSON object in full";
    } else if (answer["retCode"].get(code) != SUCCESS) {
      error = "the body has no retCode";
    } else if (code != 0) {
      if (answer["retMsg"].get(message) != SUCCESS) message = "no retMsg";
      error = "retCode " + std::to_string(code) + ": " + quoted_message(message);
    } else if (answer["result"].get(result) != SUCCESS || result["list"].get(list) != SUCCESS) {
      error = "the body has no result with a list";
    } else if (result["category"].get(category) != SUCCESS || category != market_.name) {
      error = "the category is not " + std::string(market_.name);
    } else {
      return true;
    }
    return false;
  }

  const Market& market_;
};

/// What has no header: an address that asked too often is shut out for ten minutes with 403 ("access too
/// frequent"); 10006 and 10018 tell of narrower limits, 10429 of Bybit's own distress, in a body with 200.
std::chrono::seconds Bybit::pause_asked(unsigned status, std::string_view body) const {
  constexpr std::size_t kLargestRefusal = 1024;
  if (status == 403 && body.find("too frequent") != std::string_view::npos) return std::chrono::minutes(10);
  if (status != 200 || body.size() > kLargestRefusal) return {};
  dom::parser parser;
  std::int64_t code = 0;
  if (parser.parse(body.data(), body.size())["retCode"].get(code) != SUCCESS) return {};
  return code == 10006 || code == 10018 || code == 10429 ? std::chrono::minutes(1) : std::chrono::minutes(0);
}

std::string Bybit::history_target(const HistoryRequest& request) const {
  const BybitInterval* known = find_bybit_interval(&BybitInterval::ours, request.interval);
  std::string target = "/v5/market/kline?category=" + std::string(market_.name);
  target += "&symbol=" + engine::percent_encode(request.symbol);
  target += "&interval=" + engine::percent_encode(known == nullptr ? request.interval : known->theirs);
  target += "&start=" + std::to_string(request.from_ms) + "&end=" + std::to_string(request.to_ms);
  target += "&limit=" + std::to_string(known == nullptr ? 1 : rows_of(request, known->interval));
  return target;
}

bool Bybit::parse_history(std::string_view body, const HistoryRequest& request,
                          std::vector<engine::Bar>& rows, std::string& error) const {
  const BybitInterval* known = find_bybit_interval(&BybitInterval::ours, request.interval);
  if (known == nullptr) {
    error = "unknown interval " + request.interval;
    return false;
  }
  dom::parser parser;
  dom::object result;
  dom::array list;
  if (!open(parser, body, result, list, error)) {
    error.insert(0, "kline: ");
    return false;
  }
  std::string_view symbol;
  if (result["symbol"].get(symbol) != SUCCESS || symbol != request.symbol) {
    error = "kline: the symbol is not " + request.symbol;
    return false;
  }
  std::vector<engine::Bar> read;  // newest first
  for (const dom::element row : list) {
    engine::Bar bar;
    const char* reason = read_row(row, known->interval, request.with_unusable, bar);
    if (reason == nullptr && (bar.open_time_ms < request.from_ms || bar.open_time_ms > request.to_ms))
      reason = "is outside of what was asked for";
    if (reason == nullptr && !read.empty() && bar.open_time_ms >= read.back().open_time_ms)
      reason = "is not earlier than the row before it";
    if (reason != nullptr) {
      error = "kline: row " + std::to_string(read.size()) + " " + reason;
      return false;
    }
    read.push_back(bar);
  }
  rows.insert(rows.end(), read.rbegin(), read.rend());
  return true;
}

bool Bybit::parse_symbols(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& next_page,
                          std::string& error) const {
  dom::parser parser;
  dom::object result;
  dom::array list;
  if (!open(parser, body, result, list, error)) {
    error.insert(0, "instruments-info: ");
    return false;
  }
  std::unordered_set<std::string_view> known;  // of all pages: one that is sent again would never end
  for (const SymbolInfo& before : symbols) known.insert(before.symbol);
  std::vector<SymbolInfo> read;
  for (const dom::element entry : list) {
    std::string_view symbol, base, quote, status;
    if (entry["symbol"].get(symbol) != SUCCESS || entry["baseCoin"].get(base) != SUCCESS ||
        entry["quoteCoin"].get(quote) != SUCCESS || entry["status"].get(status) != SUCCESS ||
        symbol.empty()) {
      error = "instruments-info: entry " + std::to_string(read.size()) +
              " has not all of symbol, baseCoin, quoteCoin and status as strings";
      return false;
    }
    if (!known.insert(symbol).second) {
      error = "instruments-info: entry " + std::to_string(read.size()) + " is there twice";
      return false;
    }
    SymbolInfo info{std::string(symbol), std::string(base), std::string(quote), status == "Trading", 0, 0};
    read_contract(entry, info);
    read.push_back(std::move(info));
  }
  std::string_view cursor;
  next_page = result["nextPageCursor"].get(cursor) == SUCCESS ? cursor : std::string_view{};
  symbols.insert(symbols.end(), std::make_move_iterator(read.begin()), std::make_move_iterator(read.end()));
  return true;
}

bool Bybit::parse_volumes(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& error) const {
  dom::parser parser;
  dom::object result;
  dom::array list;
  if (!open(parser, body, result, list, error)) {
    error.insert(0, "tickers: ");
    return false;
  }
  std::unordered_map<std::string_view, double> volumes;
  for (const dom::element entry : list) {
    std::string_view symbol;
    dom::element text;
    double volume = 0;
    if (entry["symbol"].get(symbol) != SUCCESS || entry[market_.quote_volume].get(text) != SUCCESS ||
        !read_quoted_or_empty(text, volume)) {
      error = "tickers: entry " + std::to_string(volumes.size()) + " has no symbol or " +
              std::string(market_.quote_volume);
      return false;
    }
    volumes[symbol] = volume;
  }
  for (SymbolInfo& symbol : symbols) {
    if (const auto found = volumes.find(symbol.symbol); found != volumes.end())
      symbol.quote_volume_24h = found->second;
  }
  return true;
}

}  // namespace

const Exchange& bybit_spot() {
  static const Bybit exchange(kSpot);
  return exchange;
}

const Exchange& bybit_linear() {
  static const Bybit exchange(kLinear);
  return exchange;
}

const Exchange& bybit_inverse() {
  static const Bybit exchange(kInverse);
  return exchange;
}

}  // namespace atcd::feeds
