#include "feeds/simulator/bybit_rest.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "feeds/json_text.hpp"

// Forms and numbers: https://bybit-exchange.github.io/docs/v5/market and .../v5/rate-limit

namespace atcd::feeds::simulator {
namespace {

constexpr std::int64_t kWindowMs = 5000, kRequestsPerWindow = 600;
constexpr std::int64_t kDefaultRows = 200, kMostRows = 1000;
constexpr std::int64_t kDefaultSymbols = 500, kMostSymbols = 1000;
constexpr std::int64_t kHourMs = 3'600'000;

RestAnswer answer_with(std::int64_t now_ms, int code, std::string_view message, std::string_view result) {
  RestAnswer answer;
  answer.body = "{\"retCode\":" + std::to_string(code) + ",\"retMsg\":";
  append_json_string(answer.body, message);
  answer.body.append(",\"result\":").append(result);
  answer.body.append(",\"retExtInfo\":{},\"time\":").append(std::to_string(now_ms)).append("}");
  return answer;
}

RestAnswer fault(const RestQuestion& question, std::string_view message) {
  return answer_with(question.now_ms, 10001, message, "{}");
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

void append_number(std::string& out, std::string_view key, double value) {
  out.append(",\"").append(key).append("\":\"");
  append_shortest(out, value);
  out += '"';
}

/// ["1795737600000","91210.4","91230.5","91201","91218","12.482","1138521.0372"]
void append_row(std::string& out, const Kline& row, Form market) {
  out += "[\"" + std::to_string(row.bar.open_time_ms) + '"';
  for (const double value : {row.bar.open, row.bar.high, row.bar.low, row.bar.close,
                             bybit_volume(row, market), bybit_turnover(row, market)}) {
    out += ",\"";
    append_shortest(out, value);
    out += '"';
  }
  out += ']';
}

std::string list_of(Form market, std::string_view entries, std::string_view rest = {}) {
  return "{\"category\":\"" + std::string(kBybitMarkets.at(market)) + "\",\"list\":[" + std::string(entries) +
         "]" + std::string(rest) + "}";
}

}  // namespace

std::optional<engine::Interval> bybit_interval(std::string_view name) {
  using Unit = engine::Interval::Unit;
  if (name == "D") return engine::Interval(1, Unit::day);
  if (name == "W") return engine::Interval(1, Unit::week);
  if (name == "M") return engine::Interval(1, Unit::month);
  for (const int minutes : {1, 3, 5, 15, 30, 60, 120, 240, 360, 720}) {
    if (name != std::to_string(minutes)) continue;
    return minutes < 60 ? engine::Interval(minutes, Unit::minute)
                        : engine::Interval(minutes / 60, Unit::hour);
  }
  return std::nullopt;
}

void append_shortest(std::string& out, double value) {
  std::array<char, 1100> text;  // the smallest double has 1,074 decimals
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  out.append(text.data(), written.ptr);
}

double bybit_volume(const Kline& kline, Form market) {
  return market == kBybitInverse ? kline.quote_volume : kline.bar.volume;
}

double bybit_turnover(const Kline& kline, Form market) {
  return market == kBybitInverse ? kline.bar.volume : kline.quote_volume;
}

BybitRest::BybitRest(std::int64_t weight_limit, std::chrono::milliseconds ban)
    : limit_(weight_limit > 0 ? std::max<std::int64_t>(1, weight_limit * kWindowMs / 60'000)
                              : kRequestsPerWindow),
      ban_ms_(ban.count()) {}

RestAnswer BybitRest::get(const RestQuestion& question) {
  const std::int64_t window = question.real_ms / kWindowMs;
  if (window != window_) used_ = 0;
  window_ = window;
  // "terminate all HTTP sessions and wait for at least 10 minutes": what comes meanwhile changes nothing.
  const bool banned = banned_until_ms_ && question.real_ms < *banned_until_ms_;
  if (!banned && ++used_ > limit_) banned_until_ms_ = question.real_ms + ban_ms_;
  if (banned || used_ > limit_) return {403, "403, access too frequent", {}};
  const Target target = parse_target(question.target);
  constexpr std::string_view kMarket = "/v5/market/";
  if (!target.path.starts_with(kMarket)) return {404, "", {}};
  const std::string_view call = target.path.substr(kMarket.size());
  if (call == "time") {
    const std::string now = std::to_string(question.now_ms);
    return answer_with(question.now_ms, 0, "OK",
                       "{\"timeSecond\":\"" + std::to_string(question.now_ms / 1000) + "\",\"timeNano\":\"" +
                           now + "000000\"}");
  }
  if (call != "kline" && call != "instruments-info" && call != "tickers") return {404, "", {}};
  const auto market = std::find(kBybitMarkets.begin(), kBybitMarkets.end(), target.value("category"));
  if (market == kBybitMarkets.end()) return fault(question, "Illegal category");
  const Form form = static_cast<Form>(market - kBybitMarkets.begin());
  if (call == "kline") return kline(question, target, form);
  return call == "tickers" ? tickers(question, target, form) : instruments(question, target, form);
}

RestAnswer BybitRest::kline(const RestQuestion& question, const Target& target, Form market) {
  const auto symbol = question.source.find(target.value("symbol"));
  if (!symbol) return fault(question, "Not supported symbols");
  const auto interval = bybit_interval(target.value("interval"));
  if (!interval) return fault(question, "Invalid period!");
  std::int64_t limit = kDefaultRows, start_ms = 0, end_ms = question.now_ms;
  if (!read_integer(target, "limit", limit) || !read_integer(target, "start", start_ms) ||
      !read_integer(target, "end", end_ms))
    return fault(question, "params error: start, end and limit must be whole numbers");
  limit = std::clamp<std::int64_t>(limit, 1, kMostRows);
  end_ms = std::min(end_ms, question.now_ms);
  KlineQuery query{*symbol, *interval, {}, end_ms, static_cast<std::size_t>(limit), question.now_ms};
  if (target.has("start")) query.from_ms = start_ms;
  // With both ends the newest are given, with a start alone the oldest.
  if (target.has("start") && target.has("end") && end_ms >= start_ms) {
    const std::int64_t first = interval->ordinal(end_ms) - limit + 1;
    query.from_ms = std::max(start_ms, interval->open_time_ms(std::max<std::int64_t>(0, first)));
  }
  std::vector<Kline> rows = question.source.klines(query);
  std::reverse(rows.begin(), rows.end());
  std::string text;
  for (const Kline& row : rows) {
    if (!text.empty()) text += ',';
    append_row(text, row, market);
  }
  return answer_with(
      question.now_ms, 0, "OK",
      list_of(market, text, ",\"symbol\":\"" + question.source.symbols()[*symbol].symbol + "\""));
}

RestAnswer BybitRest::instruments(const RestQuestion& question, const Target& target, Form market) {
  std::int64_t limit = kDefaultSymbols, first = 0;
  if (!read_integer(target, "limit", limit) || !read_integer(target, "cursor", first))
    return fault(question, "params error: limit or cursor");
  const bool pages = market != 0;
  const auto& symbols = question.source.symbols();
  if (!pages) limit = static_cast<std::int64_t>(symbols.size());
  limit = std::clamp<std::int64_t>(limit, 1, pages ? kMostSymbols : limit);
  std::string text;
  auto i = static_cast<std::size_t>(first);
  for (std::int64_t listed = 0; i < symbols.size() && listed < limit; ++i) {
    const MarketSymbol& symbol = symbols[i];
    // What is not traded is not in Bybit's list.
    if (question.now_ms < symbol.listed_ms || !question.source.trading(i, question.now_ms)) continue;
    ++listed;
    text += text.empty() ? "{\"symbol\":\"" : ",{\"symbol\":\"";
    text += symbol.symbol + '"';
    if (pages) {
      append_text(text, "contractType", market == kBybitInverse ? "InversePerpetual" : "LinearPerpetual");
      append_text(text, "launchTime", std::to_string(symbol.listed_ms));
      append_text(text, "deliveryTime", "0");
      append_text(text, "settleCoin", market == kBybitInverse ? symbol.base : symbol.quote);
    }
    append_text(text, "status", "Trading");
    append_text(text, "baseCoin", symbol.base);
    append_text(text, "quoteCoin", symbol.quote);
    text += R"(,"priceFilter":{"tickSize":")";
    append_shortest(text, static_cast<double>(symbol.tick_e8) / 1e8);
    text += "\"}}";
  }
  const std::string cursor = pages && i < symbols.size() ? std::to_string(i) : "";
  return answer_with(question.now_ms, 0, "OK",
                     list_of(market, text, pages ? ",\"nextPageCursor\":\"" + cursor + "\"" : ""));
}

RestAnswer BybitRest::tickers(const RestQuestion& question, const Target& target, Form market) {
  const auto only = question.source.find(target.value("symbol"));
  if (target.has("symbol") && !only) return fault(question, "Not supported symbols");
  const engine::Interval hour(1, engine::Interval::Unit::hour);
  // The running hour and the 23 before it.
  const std::int64_t from_ms = question.now_ms / kHourMs * kHourMs - 23 * kHourMs;
  std::string text;
  for (std::size_t i = 0; i < question.source.symbols().size(); ++i) {
    const MarketSymbol& symbol = question.source.symbols()[i];
    if ((only && i != *only) || question.now_ms < symbol.listed_ms) continue;
    const std::vector<Kline> hours =
        question.source.klines({i, hour, from_ms, question.now_ms, 24, question.now_ms});
    Kline day;
    for (const Kline& each : hours) {
      day.bar.close = each.bar.close;
      day.bar.volume += each.bar.volume;
      day.quote_volume += each.quote_volume;
    }
    text += text.empty() ? "{\"symbol\":\"" : ",{\"symbol\":\"";
    text += symbol.symbol + '"';
    append_number(text, "lastPrice", day.bar.close);
    append_number(text, "prevPrice24h", hours.empty() ? 0 : hours.front().bar.open);
    append_number(text, "turnover24h", bybit_turnover(day, market));
    append_number(text, "volume24h", bybit_volume(day, market));
    text += '}';
  }
  return answer_with(question.now_ms, 0, "OK", list_of(market, text));
}

}  // namespace atcd::feeds::simulator
