#include "feeds/binance.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/series_id.hpp"
#include "feeds/json_number.hpp"
#include "feeds/json_text.hpp"

// The numbers are those of https://developers.binance.com/docs: spot "WebSocket Streams", "Market Data
// endpoints" and "LIMITS"; USD-M and COIN-M futures "General Info" and "Kline/Candlestick Data".

namespace atcd::feeds {
namespace {

using engine::Interval;
using std::chrono::milliseconds;

struct Market {
  std::string_view name;
  std::string_view websocket_url;
  std::string_view websocket_path;
  milliseconds request_spacing;
  std::string_view rest_url;
  std::string_view klines_path;
  std::string_view symbols_target;
  int symbols_weight;
  std::string_view volumes_target;
  int volumes_weight;
  int weight_per_minute;
  bool weighs_by_limit;           // klines cost more for more rows
  std::int64_t longest_query_ms;  // from startTime to endTime; 0: any
  std::int64_t shortest_interval_ms;
};

constexpr Market kSpot = {
    "spot",
    "wss://stream.binance.com:9443",
    "/stream",
    milliseconds(300),  // 5 messages a second may come in, our pings and pongs among them
    "https://api.binance.com",
    "/api/v3/klines",
    "/api/v3/exchangeInfo?showPermissionSets=false",  // a tenth of the size
    20,
    "/api/v3/ticker/24hr?type=MINI",
    80,
    6000,
    false,
    0,
    1000};
constexpr Market kUsdm = {"usdm",
                          "wss://fstream.binance.com",
                          "/market/stream",   // klines, since 2026
                          milliseconds(150),  // 10 a second
                          "https://fapi.binance.com",
                          "/fapi/v1/klines",
                          "/fapi/v1/exchangeInfo",
                          1,
                          "/fapi/v1/ticker/24hr",
                          40,
                          2400,
                          true,
                          0,
                          60'000};
constexpr Market kCoinm = {"coinm",
                           "wss://dstream.binance.com",
                           "/stream",
                           milliseconds(150),
                           "https://dapi.binance.com",
                           "/dapi/v1/klines",
                           "/dapi/v1/exchangeInfo",
                           1,
                           "/dapi/v1/ticker/24hr",
                           40,
                           2400,
                           true,
                           200LL * 86'400'000,
                           60'000};

constexpr std::array<std::string_view, 16> kIntervals = {"1s", "1m", "3m", "5m",  "15m", "30m", "1h", "2h",
                                                         "4h", "6h", "8h", "12h", "1d",  "3d",  "1w", "1M"};
constexpr std::int64_t kRowsPerRequest = 1000;

/// One row: [openTime, "open", "high", "low", "close", "volume", closeTime, ...]. Null, or what is wrong.
const char* read_row(const simdjson::dom::element& row, const Interval& interval, bool unusable_too,
                     engine::Bar& bar) {
  simdjson::dom::array cells;
  if (row.get(cells) != simdjson::SUCCESS) return "is not an array";
  if (cells.size() < 7) return "has less than 7 columns";
  std::array<simdjson::dom::element, 7> cell;
  std::copy_n(cells.begin(), cell.size(), cell.begin());
  std::int64_t last_ms = 0;
  if (cell[0].get(bar.open_time_ms) != simdjson::SUCCESS) return "has no whole number as its open time";
  if (cell[6].get(last_ms) != simdjson::SUCCESS) return "has no whole number as its close time";
  if (!read_quoted(cell[1], bar.open) || !read_quoted(cell[2], bar.high) || !read_quoted(cell[3], bar.low) ||
      !read_quoted(cell[4], bar.close) || !read_quoted(cell[5], bar.volume)) {
    if (!unusable_too) return "has a price or volume that is no number in quotes";
    bar.low = 0;
  }
  constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
  if (bar.open_time_ms < 0 || bar.open_time_ms >= kYear10000Ms || !interval.is_boundary(bar.open_time_ms))
    return "does not open at a boundary of the interval";
  bar.close_time_ms = interval.close_time_ms(bar.open_time_ms);
  // Rows around old maintenance breaks end early; none may reach into the next bar.
  if (last_ms < bar.open_time_ms || last_ms >= bar.close_time_ms) return "does not close within its interval";
  const bool usable = unusable_too || engine::is_valid(bar);
  return usable ? nullptr : "breaks 0 < low <= open, close <= high, volume >= 0";
}

/// What futures have beside a symbol of spot. A perpetual that leaves has a date of delivery too.
void read_contract(const simdjson::dom::element& entry, SymbolInfo& info) {
  std::int64_t listed_ms = 0, delivery_ms = 0;
  double size = 0;
  std::string_view settle, type;
  if (entry["onboardDate"].get(listed_ms) == simdjson::SUCCESS) info.listed_ms = listed_ms;
  if (entry["contractSize"].get(size) == simdjson::SUCCESS) info.contract_size = size;
  if (entry["marginAsset"].get(settle) == simdjson::SUCCESS) info.settle = settle;
  const bool dated = entry["contractType"].get(type) == simdjson::SUCCESS && !type.empty() &&
                     type.find("PERPETUAL") == std::string_view::npos;
  if (dated && entry["deliveryDate"].get(delivery_ms) == simdjson::SUCCESS) info.delivery_ms = delivery_ms;
}

class Binance final : public Exchange {
 public:
  explicit Binance(const Market& market) : market_(market) {}

  std::string_view name() const override { return "binance"; }
  std::string_view market() const override { return market_.name; }

  bool offers(const Interval& interval) const override {
    const std::string text = interval.text();
    const bool known = std::find(kIntervals.begin(), kIntervals.end(), text) != kIntervals.end();
    const std::int64_t longest_ms = market_.longest_query_ms / kRowsPerRequest;
    return known && interval.length_ms() >= market_.shortest_interval_ms &&
           (longest_ms == 0 || interval.length_ms() <= longest_ms);
  }

  std::string_view websocket_url() const override { return market_.websocket_url; }
  std::string_view websocket_path(StreamKind) const override { return market_.websocket_path; }
  // 1,024 are granted (on futures 200 is what others found to hold). Fewer spread the burst at a bar's end
  // over several sockets, and one cut then concerns few series.
  std::size_t streams_per_connection() const override { return 200; }
  std::size_t streams_per_request() const override { return 50; }
  milliseconds request_spacing() const override { return market_.request_spacing; }
  milliseconds connection_lifetime() const override { return std::chrono::hours(24); }
  // 300 tries in 5 minutes are granted to an address; half of them are left to others.
  milliseconds connect_spacing() const override { return std::chrono::seconds(2); }
  int connects_at_once() const override { return 10; }
  std::string_view ping_text() const override { return {}; }
  std::string subscribe_text(std::span<const StreamName> streams, std::int64_t request_id) const override {
    return request_text("SUBSCRIBE", streams, request_id);
  }
  std::string unsubscribe_text(std::span<const StreamName> streams, std::int64_t request_id) const override {
    return request_text("UNSUBSCRIBE", streams, request_id);
  }
  std::unique_ptr<FrameParser> new_parser() const override { return new_binance_frame_parser(); }

  bool marks_closed() const override { return true; }
  // Frames that close a bar were seen up to 2.4 s after its end.
  milliseconds settling_time() const override { return std::chrono::seconds(3); }

  bool numbers_trades() const override { return true; }
  bool opens_at_last_close() const override { return false; }

  std::string_view rest_url() const override { return market_.rest_url; }
  RestLimit rest_limit() const override {
    return {market_.weight_per_minute, std::chrono::minutes(1), "X-MBX-USED-WEIGHT-1M"};
  }
  std::int64_t history_rows_per_request() const override { return kRowsPerRequest; }
  std::int64_t history_depth() const override { return std::numeric_limits<std::int64_t>::max(); }

  std::string history_target(const HistoryRequest& request) const override {
    std::string target(market_.klines_path);
    target += "?symbol=" + engine::percent_encode(request.symbol);
    target += "&interval=" + engine::percent_encode(request.interval);
    target += "&startTime=" + std::to_string(request.from_ms) + "&endTime=" + std::to_string(request.to_ms);
    target += "&limit=" + std::to_string(rows_of(request));
    return target;
  }

  int history_weight(const HistoryRequest& request) const override {
    if (!market_.weighs_by_limit) return 2;
    const std::int64_t rows = rows_of(request);
    if (rows < 100) return 1;
    if (rows < 500) return 2;
    return rows <= 1000 ? 5 : 10;
  }

  bool parse_history(std::string_view body, const HistoryRequest& request, std::vector<engine::Bar>& rows,
                     std::string& error) const override {
    const auto interval = Interval::parse(request.interval);
    simdjson::dom::parser parser;
    simdjson::dom::array array;
    if (!interval) {
      error = "unknown interval " + request.interval;
      return false;
    }
    if (parser.parse(body.data(), body.size()).get(array) != simdjson::SUCCESS) {
      error = "klines: the body is not a JSON array in full";
      return false;
    }
    std::vector<engine::Bar> read;
    for (const simdjson::dom::element row : array) {
      engine::Bar bar;
      const char* reason = read_row(row, *interval, request.with_unusable, bar);
      if (reason == nullptr && (bar.open_time_ms < request.from_ms || bar.open_time_ms > request.to_ms))
        reason = "is outside of what was asked for";
      if (reason == nullptr && !read.empty() && bar.open_time_ms <= read.back().open_time_ms)
        reason = "is not later than the row before it";
      if (reason != nullptr) {
        error = "klines: row " + std::to_string(read.size()) + " " + reason;
        return false;
      }
      read.push_back(bar);
    }
    rows.insert(rows.end(), read.begin(), read.end());
    return true;
  }

  std::string symbols_target(std::string_view) const override { return std::string(market_.symbols_target); }
  int symbols_weight() const override { return market_.symbols_weight; }
  bool parse_symbols(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& next_page,
                     std::string& error) const override;
  std::string volumes_target() const override { return std::string(market_.volumes_target); }
  int volumes_weight() const override { return market_.volumes_weight; }
  bool parse_volumes(std::string_view body, std::vector<SymbolInfo>& symbols,
                     std::string& error) const override;

 private:
  static std::int64_t rows_of(const HistoryRequest& request) {
    const auto interval = Interval::parse(request.interval);
    if (!interval || request.to_ms < request.from_ms) return 1;
    const std::int64_t slots = interval->ordinal(request.to_ms) - interval->ordinal(request.from_ms) + 1;
    return std::clamp<std::int64_t>(slots, 1, kRowsPerRequest);
  }

  /// {"method":"SUBSCRIBE","params":["btcusdt@kline_1m","btcusdt@aggTrade"],"id":1}
  static std::string request_text(std::string_view method, std::span<const StreamName> streams,
                                  std::int64_t request_id) {
    std::string text = R"({"method":")" + std::string(method) + R"(","params":[)";
    for (const StreamName& stream : streams) {
      std::string name = stream.symbol;
      for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
      name += stream.kind() == StreamKind::trades ? "@aggTrade" : "@kline_" + stream.interval;
      if (text.back() != '[') text += ',';
      append_json_string(text, name);
    }
    return text + R"(],"id":)" + std::to_string(request_id) + "}";
  }

  const Market& market_;
};

bool Binance::parse_symbols(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& next_page,
                            std::string& error) const {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(body.data(), body.size())["symbols"].get(list) != simdjson::SUCCESS) {
    error = "exchangeInfo: the body is not a JSON object with a list of symbols";
    return false;
  }
  std::vector<SymbolInfo> read;
  for (const simdjson::dom::element entry : list) {
    std::string_view symbol, base, quote, status;
    const bool named = entry["symbol"].get(symbol) == simdjson::SUCCESS &&
                       entry["baseAsset"].get(base) == simdjson::SUCCESS &&
                       entry["quoteAsset"].get(quote) == simdjson::SUCCESS && !symbol.empty();
    // COIN-M calls it contractStatus.
    if (!named || (entry["status"].get(status) != simdjson::SUCCESS &&
                   entry["contractStatus"].get(status) != simdjson::SUCCESS)) {
      error = "exchangeInfo: entry " + std::to_string(read.size()) +
              " has not all of symbol, baseAsset, quoteAsset and status as strings";
      return false;
    }
    SymbolInfo info{std::string(symbol), std::string(base), std::string(quote), status == "TRADING", 0, 0};
    read_contract(entry, info);
    read.push_back(std::move(info));
  }
  symbols.insert(symbols.end(), std::make_move_iterator(read.begin()), std::make_move_iterator(read.end()));
  next_page.clear();
  return true;
}

bool Binance::parse_volumes(std::string_view body, std::vector<SymbolInfo>& symbols,
                            std::string& error) const {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(body.data(), body.size()).get(list) != simdjson::SUCCESS) {
    error = "ticker/24hr: the body is not a JSON array in full";
    return false;
  }
  std::unordered_map<std::string_view, double> volumes;
  for (const simdjson::dom::element entry : list) {
    std::string_view symbol;
    simdjson::dom::element text;
    double volume = 0, price = 1;
    bool read = entry["symbol"].get(symbol) == simdjson::SUCCESS;
    if (entry["quoteVolume"].get(text) == simdjson::SUCCESS) {
      read = read && read_quoted_or_empty(text, volume);
    } else {  // COIN-M tells the volume in coins
      read = read && entry["baseVolume"].get(text) == simdjson::SUCCESS &&
             read_quoted_or_empty(text, volume) && entry["weightedAvgPrice"].get(text) == simdjson::SUCCESS &&
             read_quoted_or_empty(text, price);
    }
    if (!read) {
      error = "ticker/24hr: entry " + std::to_string(volumes.size()) + " has no symbol or volume";
      return false;
    }
    volumes[symbol] = volume * price;
  }
  for (SymbolInfo& symbol : symbols) {
    if (const auto found = volumes.find(symbol.symbol); found != volumes.end())
      symbol.quote_volume_24h = found->second;
  }
  return true;
}

}  // namespace

const Exchange& binance_spot() {
  static const Binance exchange(kSpot);
  return exchange;
}

const Exchange& binance_usdm() {
  static const Binance exchange(kUsdm);
  return exchange;
}

const Exchange& binance_coinm() {
  static const Binance exchange(kCoinm);
  return exchange;
}

}  // namespace atcd::feeds
