#include "feeds/okx.hpp"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/series_id.hpp"
#include "feeds/decimal.hpp"
#include "feeds/json_text.hpp"

// The numbers are those of https://www.okx.com/docs-v5/en/: "WebSocket / Connect", "Order Book Trading /
// Market Data" and "Public Data / Get instruments".

namespace atcd::feeds {
namespace {

using engine::Interval;
using simdjson::SUCCESS;
using std::chrono::milliseconds;
namespace dom = simdjson::dom;

struct Market {
  std::string_view name;
  std::string_view type;
};
constexpr Market kSpot = {"spot", "SPOT"};
constexpr Market kSwap = {"swap", "SWAP"};

constexpr std::int64_t kRowsPerRequest = 300;
// What an older version of the exchange gave at most, whatever was asked for.
constexpr std::int64_t kFormerRows = 100;
// /market/candles has this many bars of a series; /market/history-candles is asked where a clock that is
// wrong could make the difference.
constexpr std::int64_t kNewestRows = 1440, kSurelyNewest = 1200;
constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
constexpr std::size_t kLongestQuotedMessage = 200;

bool read_number(const dom::element& element, double& number) {
  std::string_view text;
  return element.get(text) == SUCCESS && read_decimal(text, number) == text.size() && !text.empty();
}

bool read_time(const dom::element& element, std::int64_t& time_ms) {
  std::string_view text;
  if (element.get(text) != SUCCESS) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), time_ms);
  return error == std::errc() && end == text.data() + text.size() && time_ms >= 0 && time_ms < kYear10000Ms;
}

/// The list under "data" of {"code":"0","msg":"","data":[...]}; false with the reason for anything else.
bool open_body(dom::parser& parser, std::string_view body, std::string_view what, dom::array& list,
               std::string& error) {
  dom::object object;
  std::string_view code, message;
  if (parser.parse(body.data(), body.size()).get(object) != SUCCESS || object["code"].get(code) != SUCCESS) {
    error = std::string(what) + ": the body is not a JSON object with a code, in full";
    return false;
  }
  if (code != "0") {
    if (object["msg"].get(message) != SUCCESS) message = {};
    error = std::string(what) + ": code " + std::string(code.substr(0, kLongestQuotedMessage)) + ": " +
            std::string(message.substr(0, kLongestQuotedMessage));
    return false;
  }
  if (object["data"].get(list) == SUCCESS) return true;
  error = std::string(what) + ": the body has no list of data";
  return false;
}

struct Row {
  engine::Bar bar;
  bool running = false;  // the exchange says so
};

/// One row: ["openTime","open","high","low","close","volume","volCcy","volCcyQuote","confirm"], without the
/// last two before 2023. Null, or what is wrong.
const char* read_row(const dom::element& element, const Interval& interval, bool unusable_too, Row& row) {
  dom::array cells;
  if (element.get(cells) != SUCCESS) return "is not an array";
  if (cells.size() < 7) return "has less than 7 columns";
  std::array<dom::element, 9> cell;
  std::copy_n(cells.begin(), std::min(cells.size(), cell.size()), cell.begin());
  engine::Bar& bar = row.bar;
  if (!read_time(cell[0], bar.open_time_ms)) return "has no time in quotes as its open time";
  if (!read_number(cell[1], bar.open) || !read_number(cell[2], bar.high) || !read_number(cell[3], bar.low) ||
      !read_number(cell[4], bar.close) || !read_number(cell[5], bar.volume)) {
    if (!unusable_too) return "has a price or volume that is no number in quotes";
    bar.low = 0;
  }
  if (cells.size() >= cell.size()) {
    std::string_view confirm;
    if (cell[8].get(confirm) != SUCCESS || (confirm != "0" && confirm != "1"))
      return "has a confirm that is neither \"0\" nor \"1\"";
    row.running = confirm == "0";
  }
  if (!interval.is_boundary(bar.open_time_ms)) return "does not open at a boundary of the interval";
  bar.close_time_ms = interval.close_time_ms(bar.open_time_ms);
  const bool usable = unusable_too || engine::is_valid(bar);
  return usable ? nullptr : "breaks 0 < low <= open, close <= high, volume >= 0";
}

/// What swaps have beside a symbol of spot.
void read_contract(const dom::element& entry, SymbolInfo& info) {
  std::string_view settle;
  dom::element value, multiplier;
  double each = 0, times = 0;
  if (entry["settleCcy"].get(settle) == SUCCESS) info.settle = settle;
  if (entry["ctVal"].get(value) == SUCCESS && entry["ctMult"].get(multiplier) == SUCCESS &&
      read_number(value, each) && read_number(multiplier, times))
    info.contract_size = each * times;
}

std::int64_t slots_of(const HistoryRequest& request, const Interval& interval) {
  return interval.ordinal(request.to_ms) - interval.ordinal(request.from_ms) + 1;
}

bool among_newest(const HistoryRequest& request, const Interval& interval) {
  return request.asked_at_ms != 0 &&
         interval.ordinal(request.asked_at_ms) - interval.ordinal(request.from_ms) < kSurelyNewest;
}

class Okx final : public Exchange {
 public:
  explicit Okx(const Market& market) : market_(market) {}

  std::string_view name() const override { return "okx"; }
  std::string_view market() const override { return market_.name; }
  bool offers(const Interval& interval) const override { return okx_interval(interval.text()) != nullptr; }

  std::string_view websocket_url() const override { return "wss://ws.okx.com:8443"; }
  std::string_view websocket_path(StreamKind kind) const override {
    return kind == StreamKind::klines ? "/ws/v5/business" : "/ws/v5/public";
  }
  // No number is documented: as with Binance, one cut should concern few series.
  std::size_t streams_per_connection() const override { return 200; }
  // A request may have 64 KB; a stream takes less than 100 bytes.
  std::size_t streams_per_request() const override { return 200; }
  // 480 requests an hour on one connection. A request beyond them would be refused as a whole.
  milliseconds request_spacing() const override { return milliseconds(7500); }
  milliseconds connection_lifetime() const override { return milliseconds(0); }
  // 3 connects a second are granted to an address; two of them are left to others.
  milliseconds connect_spacing() const override { return std::chrono::seconds(1); }
  std::string_view ping_text() const override { return "ping"; }
  std::string subscribe_text(std::span<const StreamName> streams, std::int64_t request_id) const override {
    return request_text("subscribe", streams, request_id);
  }
  std::string unsubscribe_text(std::span<const StreamName> streams, std::int64_t request_id) const override {
    return request_text("unsubscribe", streams, request_id);
  }
  std::unique_ptr<FrameParser> new_parser() const override { return new_okx_frame_parser(); }

  bool marks_closed() const override { return true; }
  milliseconds settling_time() const override { return std::chrono::seconds(3); }

  // tradeId counts, and one message tells `count` of them: "123, 122, and 121" with 123 and 3.
  bool numbers_trades() const override { return true; }
  bool opens_at_last_close() const override { return false; }

  std::string_view rest_url() const override { return "https://www.okx.com"; }
  // Each call has a limit of its own, the widest 40 in 2 s; what may come half as often weighs two.
  RestLimit rest_limit() const override { return {40, std::chrono::seconds(2), {}}; }
  std::chrono::seconds pause_asked(unsigned status, std::string_view body) const override;
  std::int64_t history_rows_per_request() const override { return kRowsPerRequest; }
  std::int64_t history_depth() const override { return std::numeric_limits<std::int64_t>::max(); }
  std::string history_target(const HistoryRequest& request) const override;
  int history_weight(const HistoryRequest& request) const override {
    const OkxInterval* known = okx_interval(request.interval);
    return known != nullptr && among_newest(request, known->interval) ? 1 : 2;
  }
  bool parse_history(std::string_view body, const HistoryRequest& request, std::vector<engine::Bar>& rows,
                     std::string& error) const override;

  std::string symbols_target(std::string_view) const override {
    return "/api/v5/public/instruments?instType=" + std::string(market_.type);
  }
  int symbols_weight() const override { return 2; }
  bool parse_symbols(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& next_page,
                     std::string& error) const override;
  std::string volumes_target() const override {
    return "/api/v5/market/tickers?instType=" + std::string(market_.type);
  }
  int volumes_weight() const override { return 2; }
  bool parse_volumes(std::string_view body, std::vector<SymbolInfo>& symbols,
                     std::string& error) const override;

 private:
  /// {"id":"1","op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]}
  static std::string request_text(std::string_view operation, std::span<const StreamName> streams,
                                  std::int64_t request_id) {
    std::string text = R"({"id":")" + std::to_string(request_id) + R"(","op":")";
    text.append(operation).append(R"(","args":[)");
    for (const StreamName& stream : streams) {
      if (text.back() != '[') text += ',';
      text += R"({"channel":)";
      const OkxInterval* known = okx_interval(stream.interval);
      append_json_string(text, stream.kind() == StreamKind::trades ? std::string(kOkxTrades)
                               : known != nullptr ? std::string(kOkxCandle).append(known->theirs)
                                                  : std::string(kOkxCandle).append(stream.interval));
      text += R"(,"instId":)";
      append_json_string(text, stream.symbol);
      text += '}';
    }
    return text + "]}";
  }

  const Market& market_;
};

/// 429 with 50011 tells of a call's limit in two seconds: two such windows later it grants as much as before.
/// Whoever else answers with 429, in front of the exchange, is not so quick to forget.
std::chrono::seconds Okx::pause_asked(unsigned status, std::string_view body) const {
  if (status != 429) return {};
  dom::parser parser;
  dom::element code;
  std::string_view text;
  std::int64_t number = 0;
  if (parser.parse(body.data(), body.size())["code"].get(code) != SUCCESS) return {};
  // Seen in quotes and without.
  const bool limit =
      code.get(text) == SUCCESS ? text == "50011" : code.get(number) == SUCCESS && number == 50011;
  return std::chrono::seconds(limit ? 4 : 0);
}

/// Both bounds are exclusive.
std::string Okx::history_target(const HistoryRequest& request) const {
  const OkxInterval* known = okx_interval(request.interval);
  if (known == nullptr) return {};
  std::string target =
      among_newest(request, known->interval) ? "/api/v5/market/candles" : "/api/v5/market/history-candles";
  target += "?instId=" + engine::percent_encode(request.symbol);
  target += "&bar=" + std::string(known->theirs);
  target += "&before=" + std::to_string(request.from_ms - 1) + "&after=" + std::to_string(request.to_ms + 1);
  const std::int64_t rows = std::clamp<std::int64_t>(slots_of(request, known->interval), 1, kRowsPerRequest);
  return target + "&limit=" + std::to_string(rows);
}

bool Okx::parse_history(std::string_view body, const HistoryRequest& request, std::vector<engine::Bar>& rows,
                        std::string& error) const {
  const OkxInterval* known = okx_interval(request.interval);
  if (known == nullptr) {
    error = "unknown interval " + request.interval;
    return false;
  }
  const Interval& interval = known->interval;
  dom::parser parser;
  dom::array list;
  if (!open_body(parser, body, "candles", list, error)) return false;
  // What is older than the newest rows is left out of them without a word.
  if (among_newest(request, interval) && request.answered_at_ms != 0 &&
      interval.ordinal(request.answered_at_ms) - interval.ordinal(request.from_ms) >= kNewestRows) {
    error =
        "candles: asked for as if among the newest 1440, but by the exchange's clock they are older: is "
        "our clock right?";
    return false;
  }
  std::vector<engine::Bar> read;  // newest first
  for (const dom::element element : list) {
    Row row;
    const char* reason = read_row(element, interval, request.with_unusable, row);
    if (reason == nullptr && (row.bar.open_time_ms < request.from_ms || row.bar.open_time_ms > request.to_ms))
      reason = "is outside of what was asked for";
    if (reason == nullptr && !read.empty() && row.bar.open_time_ms >= read.back().open_time_ms)
      reason = "is not earlier than the row before it";
    if (reason == nullptr && row.running && !read.empty())
      reason = "is not confirmed, but a later one exists";
    // The exchange keeps several copies of its bars, and one may be behind.
    if (reason == nullptr && row.running && request.answered_at_ms >= row.bar.close_time_ms)
      reason = "is not confirmed, although it has ended";
    if (reason != nullptr) {
      error = "candles: row " + std::to_string(read.size()) + " " + reason;
      return false;
    }
    read.push_back(row.bar);
  }
  // Cut short it would look as if the older ones had never been.
  if (static_cast<std::int64_t>(read.size()) == kFormerRows && slots_of(request, interval) > kFormerRows &&
      interval.ordinal(read.back().open_time_ms) > interval.ordinal(request.from_ms)) {
    error = "candles: exactly 100 rows of " + std::to_string(slots_of(request, interval)) +
            " came, the newest ones: the exchange may have cut the page";
    return false;
  }
  rows.insert(rows.end(), read.rbegin(), read.rend());
  return true;
}

bool Okx::parse_symbols(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& next_page,
                        std::string& error) const {
  dom::parser parser;
  dom::array list;
  if (!open_body(parser, body, "instruments", list, error)) return false;
  std::vector<SymbolInfo> read;
  std::size_t number = 0;
  for (const dom::element entry : list) {
    ++number;
    std::string_view symbol, state, base, quote, pair;
    bool named =
        entry["instId"].get(symbol) == SUCCESS && entry["state"].get(state) == SUCCESS && !symbol.empty();
    // Swaps have their currencies in the name of what they follow only: "BTC-USDT".
    if (market_.type == kSwap.type) {
      if (entry["uly"].get(pair) != SUCCESS || pair.empty())
        named = named && entry["instFamily"].get(pair) == SUCCESS;
      const auto dash = pair.find('-');
      named = named && dash != std::string_view::npos;
      base = pair.substr(0, dash);
      quote = named ? pair.substr(dash + 1) : pair;
    } else {
      named = named && entry["baseCcy"].get(base) == SUCCESS && entry["quoteCcy"].get(quote) == SUCCESS;
    }
    if (!named || base.empty() || quote.empty()) {
      // From its announcement on, days before it is listed, an instrument stands here with empty texts: only
      // minutes before that are they told.
      if (state == "preopen") continue;
      error = "instruments: entry " + std::to_string(number - 1) +
              " has not all of instId, state and its two currencies as strings";
      return false;
    }
    SymbolInfo info{std::string(symbol), std::string(base), std::string(quote), state == "live", 0, 0};
    dom::element listed;
    if (entry["listTime"].get(listed) == SUCCESS && !read_time(listed, info.listed_ms)) info.listed_ms = 0;
    if (market_.type == kSwap.type) read_contract(entry, info);
    read.push_back(std::move(info));
  }
  symbols.insert(symbols.end(), std::make_move_iterator(read.begin()), std::make_move_iterator(read.end()));
  next_page.clear();
  return true;
}

bool Okx::parse_volumes(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& error) const {
  dom::parser parser;
  dom::array list;
  if (!open_body(parser, body, "tickers", list, error)) return false;
  std::unordered_map<std::string_view, double> volumes;
  for (const dom::element entry : list) {
    std::string_view symbol, text, last;
    double volume = 0, price = 1;
    bool read = entry["instId"].get(symbol) == SUCCESS && entry["volCcy24h"].get(text) == SUCCESS &&
                entry["last"].get(last) == SUCCESS;
    // What was never traded has empty texts.
    const auto number = [](std::string_view from, double& into) {
      return from.empty() || read_decimal(from, into) == from.size();
    };
    read = read && number(text, volume);
    // A swap's volume is told in contracts and in coins, never in the quote currency: the last price makes a
    // sum of it that is good enough to order by.
    if (market_.type == kSwap.type) read = read && number(last, price);
    if (!read) {
      error = "tickers: entry " + std::to_string(volumes.size()) + " has no instId, volCcy24h or last";
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

const Exchange& okx_spot() {
  static const Okx exchange(kSpot);
  return exchange;
}

const Exchange& okx_swap() {
  static const Okx exchange(kSwap);
  return exchange;
}

}  // namespace atcd::feeds
