#include "feeds/simulator/binance_rest.hpp"

#include <algorithm>
#include <charconv>

// Forms and numbers: https://developers.binance.com/docs/binance-spot-api-docs/rest-api and
// https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data

namespace atcd::feeds::simulator {
namespace {

constexpr std::int64_t kSpotWeightLimit = 6000, kFuturesWeightLimit = 2400;
constexpr std::int64_t kDefaultRows = 500, kSpotRows = 1000, kFuturesRows = 1500;
constexpr std::int64_t kHourMs = 3'600'000, kMinuteMs = 60'000;
constexpr std::array<std::string_view, 16> kIntervals = {"1s", "1m", "3m", "5m",  "15m", "30m", "1h", "2h",
                                                         "4h", "6h", "8h", "12h", "1d",  "3d",  "1w", "1M"};

RestAnswer fault(int status, int code, std::string_view message) {
  return {status, "{\"code\":" + std::to_string(code) + ",\"msg\":\"" + std::string(message) + "\"}", {}};
}

RestAnswer fault_of(std::string_view parameter) {
  return fault(400, -1130, "Data sent for parameter '" + std::string(parameter) + "' is not valid.");
}

/// Digits in full. False for anything else; a parameter that is absent leaves `value` alone.
bool read_integer(const Target& target, std::string_view name, std::int64_t& value) {
  if (!target.has(name)) return true;
  const std::string_view text = target.value(name);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value >= 0;
}

void append_text(std::string& out, std::string_view key, std::string_view value) {
  out.append(",\"").append(key).append("\":\"").append(value).append("\"");
}

void append_number(std::string& out, std::string_view key, double value, int decimals) {
  out.append(",\"").append(key).append("\":\"");
  append_decimal(out, value, decimals);
  out += '"';
}

void append_integer(std::string& out, std::string_view key, std::int64_t value) {
  out.append(",\"").append(key).append("\":").append(std::to_string(value));
}

/// [1795477200000,"91238.41000000","91252.70000000","91230.15000000","91240.00000000","12.83455000",
///  1795477259999,"1171036.72911600",826,"6.40218000","584140.00817300","0"]
void append_row(std::string& out, const Kline& row, const NumberForm& form) {
  const auto quoted = [&](double value, int decimals) {
    out += ",\"";
    append_decimal(out, value, decimals);
    out += '"';
  };
  out += '[' + std::to_string(row.bar.open_time_ms);
  quoted(row.bar.open, form.price);
  quoted(row.bar.high, form.price);
  quoted(row.bar.low, form.price);
  quoted(row.bar.close, form.price);
  quoted(row.bar.volume, form.volume);
  out += ',' + std::to_string(row.bar.close_time_ms - 1);
  quoted(row.quote_volume, form.quote);
  out += ',' + std::to_string(row.trades);
  quoted(row.taker_volume, form.volume);
  quoted(row.taker_quote_volume, form.quote);
  out += ",\"0\"]";
}

void append_filters(std::string& out, const MarketSymbol& symbol, const NumberForm& form) {
  out += R"(,"filters":[{"filterType":"PRICE_FILTER")";
  append_number(out, "tickSize", static_cast<double>(symbol.tick_e8) / 1e8, form.price);
  out += R"(},{"filterType":"LOT_SIZE")";
  append_number(out, "stepSize", static_cast<double>(symbol.lot_e8) / 1e8, form.volume);
  out += "}]";
}

std::int64_t futures_klines_weight(const Target& target) {
  std::int64_t limit = kDefaultRows;
  if (!read_integer(target, "limit", limit)) return 1;
  if (limit < 100) return 1;
  if (limit < 500) return 2;
  return limit <= 1000 ? 5 : 10;
}

std::int64_t ticker_weight(const Target& target, bool futures) {
  if (target.has("symbol")) return futures ? 1 : 2;
  return futures ? 40 : 80;
}

}  // namespace

bool binance_offers(std::string_view interval) {
  return std::find(kIntervals.begin(), kIntervals.end(), interval) != kIntervals.end();
}

NumberForm number_form(const MarketSymbol& symbol, bool futures) {
  constexpr int kMost = 8;
  if (!futures) return {kMost, kMost, kMost};
  const int price = decimals_of(symbol.tick_e8), volume = decimals_of(symbol.lot_e8);
  return {price, volume, std::min(kMost, price + volume)};
}

void append_decimal(std::string& out, double value, int decimals) {
  std::array<char, 352> text;  // the largest double has 309 digits
  const auto written =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, decimals);
  out.append(text.data(), written.ptr);
}

BinanceRest::BinanceRest(std::int64_t weight_limit) {
  windows_[0].limit = weight_limit > 0 ? weight_limit : kSpotWeightLimit;
  windows_[1].limit = weight_limit > 0 ? weight_limit : kFuturesWeightLimit;
}

RestAnswer BinanceRest::get(const RestQuestion& question) {
  const Target target = parse_target(question.target);
  constexpr std::string_view kSpot = "/api/v3/", kFutures = "/fapi/v1/";
  const bool futures = target.path.starts_with(kFutures);
  if (!futures && !target.path.starts_with(kSpot)) return fault(404, -1, "Not found.");
  const std::string_view call = target.path.substr(futures ? kFutures.size() : kSpot.size());
  const bool known =
      call == "klines" || call == "exchangeInfo" || call == "ticker/24hr" || call == "time" || call == "ping";
  if (!known) return fault(404, -1, "Not found.");
  std::int64_t weight = 1;
  if (call == "klines") weight = futures ? futures_klines_weight(target) : 2;
  if (call == "exchangeInfo") weight = futures ? 1 : 20;
  if (call == "ticker/24hr") weight = ticker_weight(target, futures);

  WeightWindow& window = windows_[futures ? 1 : 0];
  if (const std::int64_t minute = question.real_ms / kMinuteMs; minute != window.minute)
    window = {window.limit, minute, 0};
  window.used += weight;
  RestAnswer answer;
  if (window.used > window.limit) {
    answer = fault(429, -1003,
                   "Too much request weight used; current limit is " + std::to_string(window.limit) +
                       " request weight per 1 MINUTE. Please use WebSocket Streams for live updates to "
                       "avoid polling the API.");
    const std::int64_t left_ms = kMinuteMs - question.real_ms % kMinuteMs;
    answer.headers.emplace_back("Retry-After", std::to_string((left_ms + 999) / 1000));
  } else if (call == "klines") {
    answer = klines(question, target, futures);
  } else if (call == "exchangeInfo") {
    answer = exchange_info(question, target, futures);
  } else if (call == "ticker/24hr") {
    answer = tickers(question, target, futures);
  } else if (call == "time") {
    answer.body = "{\"serverTime\":" + std::to_string(question.now_ms) + "}";
  } else {
    answer.body = "{}";
  }
  answer.headers.emplace_back("X-MBX-USED-WEIGHT", std::to_string(window.used));
  answer.headers.emplace_back("X-MBX-USED-WEIGHT-1M", std::to_string(window.used));
  return answer;
}

RestAnswer BinanceRest::klines(const RestQuestion& question, const Target& target, bool futures) const {
  for (const std::string_view mandatory : {"symbol", "interval"}) {
    if (target.value(mandatory).empty())
      return fault(
          400, -1102,
          "Mandatory parameter '" + std::string(mandatory) + "' was not sent, was empty/null, or malformed.");
  }
  const auto symbol = question.source.find(target.value("symbol"));
  if (!symbol) return fault(400, -1121, "Invalid symbol.");
  const std::string_view interval_text = target.value("interval");
  if (!binance_offers(interval_text) || (futures && interval_text == "1s"))
    return fault(400, -1120, "Invalid interval.");

  KlineQuery query{*symbol, *engine::Interval::parse(interval_text), {}, question.now_ms, 0, question.now_ms};
  std::int64_t limit = kDefaultRows, start_ms = 0, end_ms = question.now_ms;
  if (!read_integer(target, "limit", limit) || limit == 0) return fault_of("limit");
  if (!read_integer(target, "startTime", start_ms)) return fault_of("startTime");
  if (!read_integer(target, "endTime", end_ms)) return fault_of("endTime");
  query.limit = static_cast<std::size_t>(std::min(limit, futures ? kFuturesRows : kSpotRows));
  query.to_ms = std::min(end_ms, question.now_ms);
  if (target.has("startTime")) query.from_ms = start_ms;

  const NumberForm form = number_form(question.source.symbols()[*symbol], futures);
  RestAnswer answer;
  answer.body = "[";
  for (const Kline& row : question.source.klines(query)) {
    if (answer.body.size() > 1) answer.body += ',';
    append_row(answer.body, row, form);
  }
  answer.body += ']';
  return answer;
}

RestAnswer BinanceRest::exchange_info(const RestQuestion& question, const Target& target,
                                      bool futures) const {
  const auto only = question.source.find(target.value("symbol"));
  if (target.has("symbol") && !only) return fault(400, -1121, "Invalid symbol.");
  RestAnswer answer;
  std::string& body = answer.body;
  body = R"({"timezone":"UTC","serverTime":)" + std::to_string(question.now_ms) +
         R"(,"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":)" +
         std::to_string(windows_[futures ? 1 : 0].limit) + R"(}],"exchangeFilters":[],"symbols":[)";
  bool first = true;
  for (std::size_t i = 0; i < question.source.symbols().size(); ++i) {
    const MarketSymbol& symbol = question.source.symbols()[i];
    // What will be listed later is not yet known.
    if ((only && i != *only) || question.now_ms < symbol.listed_ms) continue;
    const bool trading = question.source.trading(i, question.now_ms);
    const NumberForm form = number_form(symbol, futures);
    body += first ? "{\"symbol\":\"" : ",{\"symbol\":\"";
    first = false;
    body += symbol.symbol + '"';
    if (futures) {
      append_text(body, "pair", symbol.symbol);
      append_text(body, "contractType", "PERPETUAL");
      append_integer(body, "deliveryDate", 4'133'404'800'000);
      append_integer(body, "onboardDate", symbol.listed_ms);
    }
    append_text(body, "status", trading ? "TRADING" : futures ? "SETTLING" : "BREAK");
    append_text(body, "baseAsset", symbol.base);
    if (!futures) append_integer(body, "baseAssetPrecision", 8);
    append_text(body, "quoteAsset", symbol.quote);
    if (futures) {
      append_text(body, "marginAsset", symbol.quote);
      append_integer(body, "pricePrecision", form.price);
      append_integer(body, "quantityPrecision", form.volume);
    } else {
      append_integer(body, "quotePrecision", 8);
      body += R"(,"isSpotTradingAllowed":)";
      body += trading ? "true" : "false";
    }
    append_filters(body, symbol, form);
    body += '}';
  }
  body += "]}";
  return answer;
}

RestAnswer BinanceRest::tickers(const RestQuestion& question, const Target& target, bool futures) const {
  const auto only = question.source.find(target.value("symbol"));
  if (target.has("symbol") && !only) return fault(400, -1121, "Invalid symbol.");
  RestAnswer answer;
  std::string& body = answer.body;
  for (std::size_t i = 0; i < question.source.symbols().size(); ++i) {
    const MarketSymbol& symbol = question.source.symbols()[i];
    if ((only && i != *only) || question.now_ms < symbol.listed_ms) continue;
    // The running hour and the 23 before it.
    const std::int64_t from_ms = question.now_ms / kHourMs * kHourMs - 23 * kHourMs;
    const engine::Interval hour(1, engine::Interval::Unit::hour);
    const std::vector<Kline> hours =
        question.source.klines({i, hour, from_ms, question.now_ms, 24, question.now_ms});
    Kline day = hours.empty() ? Kline{} : hours.front();
    for (std::size_t h = 1; h < hours.size(); ++h) {
      const Kline& next = hours[h];
      day.bar.high = std::max(day.bar.high, next.bar.high);
      day.bar.low = std::min(day.bar.low, next.bar.low);
      day.bar.close = next.bar.close;
      day.bar.volume += next.bar.volume;
      day.quote_volume += next.quote_volume;
      day.trades += next.trades;
      if (day.first_trade < 0) day.first_trade = next.first_trade;
    }
    const NumberForm form = number_form(symbol, futures);
    body += body.empty() ? "{\"symbol\":\"" : ",{\"symbol\":\"";
    body += symbol.symbol + '"';
    if (target.value("type") != "MINI") {
      const double change = day.bar.close - day.bar.open;
      append_number(body, "priceChange", change, form.price);
      append_number(body, "priceChangePercent", day.bar.open > 0 ? change / day.bar.open * 100 : 0, 3);
      append_number(body, "weightedAvgPrice", day.bar.volume > 0 ? day.quote_volume / day.bar.volume : 0,
                    form.price);
    }
    append_number(body, "openPrice", day.bar.open, form.price);
    append_number(body, "highPrice", day.bar.high, form.price);
    append_number(body, "lowPrice", day.bar.low, form.price);
    append_number(body, "lastPrice", day.bar.close, form.price);
    append_number(body, "volume", day.bar.volume, form.volume);
    append_number(body, "quoteVolume", day.quote_volume, form.quote);
    append_integer(body, "openTime", from_ms);
    append_integer(body, "closeTime", question.now_ms);
    append_integer(body, "firstId", day.first_trade);
    append_integer(body, "lastId", day.first_trade < 0 ? -1 : day.first_trade + day.trades - 1);
    append_integer(body, "count", day.trades);
    body += '}';
  }
  if (!only) body = '[' + body + ']';
  return answer;
}

}  // namespace atcd::feeds::simulator
