#include "feeds/simulator/okx_rest.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "feeds/okx.hpp"
#include "feeds/simulator/binance_rest.hpp"
#include "feeds/simulator/bybit_rest.hpp"

// Forms and numbers: https://www.okx.com/docs-v5/en/, "Order Book Trading / Market Data" and "Public Data".

namespace atcd::feeds::simulator {
namespace {

constexpr std::int64_t kDefaultRows = 100, kMostRows = 300, kNewestRows = 1440;
constexpr std::int64_t kHourMs = 3'600'000, kWindowMs = 2000, kMinuteMs = 60'000;

struct Call {
  std::string_view path;
  std::int64_t limit;  // in two seconds
};
enum : std::size_t { kCandles, kHistoryCandles, kInstruments, kTickers, kTime };
constexpr std::array<Call, 5> kCalls = {{{"/api/v5/market/candles", 40},
                                         {"/api/v5/market/history-candles", 20},
                                         {"/api/v5/public/instruments", 20},
                                         {"/api/v5/market/tickers", 20},
                                         {"/api/v5/public/time", 10}}};

RestAnswer fault(int status, std::string_view code, std::string_view message) {
  RestAnswer answer;
  answer.status = status;
  answer.body.append(R"({"code":")").append(code).append(R"(","msg":")").append(message);
  answer.body += R"(","data":[]})";
  return answer;
}

RestAnswer answer_with(const std::string& list) {
  return {200, R"({"code":"0","msg":"","data":[)" + list + "]}", {}};
}

/// Digits in full. False for anything else; a parameter that is absent leaves `value` alone.
bool read_integer(const Target& target, std::string_view name, std::int64_t& value) {
  if (!target.has(name)) return true;
  const std::string_view text = target.value(name);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value >= 0;
}

void append_member(std::string& out, std::string_view key, std::string_view value) {
  out += out.empty() || out.back() == '{' ? "\"" : ",\"";
  out.append(key).append("\":\"").append(value) += '"';
}

std::string decimal(double value, int decimals) {
  std::string text;
  append_decimal(text, value, decimals);
  return text;
}

std::string decimal_of(std::int64_t value_e8) {
  return decimal(static_cast<double>(value_e8) / 1e8, decimals_of(value_e8));
}

/// Newest first, `limit` at most, between the exclusive bounds `before` and `after`.
RestAnswer candles(const RestQuestion& question, const Target& target, bool newest_only) {
  const std::string_view instrument = target.value("instId");
  if (instrument.empty()) return fault(400, "50014", "Parameter instId can not be empty.");
  auto symbol = question.source.find(instrument);
  if (!symbol) symbol = question.source.find(okx_pair(instrument));
  if (!symbol) return fault(200, "51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.");
  const std::string_view bar = target.has("bar") ? target.value("bar") : "1m";
  const OkxInterval* known = okx_candle_channel(std::string(kOkxCandle).append(bar));
  if (known == nullptr) return fault(400, "51000", "Parameter bar error");
  std::int64_t limit = kDefaultRows, before_ms = -1, after_ms = question.now_ms + 1;
  if (!read_integer(target, "limit", limit) || limit == 0)
    return fault(400, "51000", "Parameter limit error");
  if (!read_integer(target, "before", before_ms)) return fault(400, "51000", "Parameter before error");
  if (!read_integer(target, "after", after_ms)) return fault(400, "51000", "Parameter after error");
  if (newest_only) {
    const std::int64_t oldest = known->interval.ordinal(question.now_ms) - kNewestRows + 1;
    before_ms = std::max(before_ms, known->interval.open_time_ms(oldest) - 1);
  }
  KlineQuery query{*symbol, known->interval, {}, std::min(after_ms - 1, question.now_ms), 0, question.now_ms};
  query.limit = static_cast<std::size_t>(std::min(limit, kMostRows));
  const std::vector<Kline> rows = question.source.klines(query);
  std::string list;
  for (auto row = rows.rbegin(); row != rows.rend() && row->bar.open_time_ms > before_ms; ++row) {
    if (!list.empty()) list += ',';
    append_okx_row(list, question.source.symbols()[*symbol], *row, row->bar.close_time_ms <= question.now_ms);
  }
  return answer_with(list);
}

bool read_type(const Target& target, bool& swap) {
  swap = target.value("instType") == "SWAP";
  return swap || target.value("instType") == "SPOT";
}

/// What the symbol is called in that market; empty where it is not in it: recordings have each by its own
/// name.
std::optional<std::string> instrument_of(const RestQuestion& question, std::size_t index, bool swap) {
  const std::string& name = question.source.symbols()[index].symbol;
  const bool is_swap = name.ends_with(kOkxSwap);
  if (is_swap == swap) return name;
  std::string other = name + std::string(kOkxSwap);
  if (is_swap || question.source.find(other)) return std::nullopt;
  return other;
}

RestAnswer instruments(const RestQuestion& question, bool swap) {
  std::string list;
  for (std::size_t i = 0; i < question.source.symbols().size(); ++i) {
    const MarketSymbol& symbol = question.source.symbols()[i];
    const auto instrument = instrument_of(question, i, swap);
    if (!instrument) continue;
    std::string pair(okx_pair(*instrument));
    std::string base = pair.substr(0, pair.find('-')), quote = pair.substr(base.size() + 1);
    // Of what will be listed later only that is told as yet.
    const bool announced = question.now_ms < symbol.listed_ms;
    if (announced) pair = base = quote = "";
    list += list.empty() ? "{" : ",{";
    append_member(list, "instType", swap ? "SWAP" : "SPOT");
    append_member(list, "instId", *instrument);
    append_member(list, "uly", swap ? pair : "");
    append_member(list, "instFamily", swap ? pair : "");
    append_member(list, "baseCcy", swap ? "" : base);
    append_member(list, "quoteCcy", swap ? "" : quote);
    append_member(list, "settleCcy", swap ? quote : "");
    std::string size;
    append_shortest(size, symbol.contract_size);
    const bool contract = swap && !announced;
    append_member(list, "ctVal", contract ? size : "");
    append_member(list, "ctMult", contract ? "1" : "");
    append_member(list, "ctValCcy", contract ? base : "");
    append_member(list, "ctType", contract ? "linear" : "");
    append_member(list, "listTime", std::to_string(symbol.listed_ms));
    append_member(list, "tickSz", announced ? "" : decimal_of(symbol.tick_e8));
    append_member(list, "lotSz", announced ? "" : decimal_of(symbol.lot_e8));
    const bool live = question.source.trading(i, question.now_ms);
    append_member(list, "state", announced ? "preopen" : live ? "live" : "suspend");
    list += '}';
  }
  return answer_with(list);
}

RestAnswer tickers(const RestQuestion& question, bool swap) {
  std::string list;
  for (std::size_t i = 0; i < question.source.symbols().size(); ++i) {
    const MarketSymbol& symbol = question.source.symbols()[i];
    const auto instrument = instrument_of(question, i, swap);
    if (!instrument || question.now_ms < symbol.listed_ms) continue;
    // The running hour and the 23 before it.
    const engine::Interval hour(1, engine::Interval::Unit::hour);
    const std::int64_t from_ms = question.now_ms / kHourMs * kHourMs - 23 * kHourMs;
    double volume = 0, quote_volume = 0, last = 0;
    for (const Kline& row :
         question.source.klines({i, hour, from_ms, question.now_ms, 24, question.now_ms})) {
      volume += row.bar.volume;
      quote_volume += row.quote_volume;
      last = row.bar.close;
    }
    const int price = decimals_of(symbol.tick_e8), lots = decimals_of(symbol.lot_e8);
    list += list.empty() ? "{" : ",{";
    append_member(list, "instType", swap ? "SWAP" : "SPOT");
    append_member(list, "instId", *instrument);
    append_member(list, "last", decimal(last, price));
    append_member(list, "vol24h", decimal(volume, lots));
    append_member(list, "volCcy24h", swap ? decimal(volume, lots) : decimal(quote_volume, 8));
    append_member(list, "ts", std::to_string(question.now_ms));
    list += '}';
  }
  return answer_with(list);
}

}  // namespace

std::string_view okx_pair(std::string_view instrument) {
  if (instrument.ends_with(kOkxSwap)) instrument.remove_suffix(kOkxSwap.size());
  return instrument;
}

/// ["1795748400000","91238.40","91252.70","91230.10","91240.00","12.83593750","1171036.72","1171036.72","1"]
void append_okx_row(std::string& out, const MarketSymbol& symbol, const Kline& kline, bool closed) {
  const int price = decimals_of(symbol.tick_e8), lots = decimals_of(symbol.lot_e8);
  const auto quoted = [&](double value, int decimals) {
    out += ",\"";
    append_decimal(out, value, decimals);
    out += '"';
  };
  out += "[\"" + std::to_string(kline.bar.open_time_ms) + '"';
  quoted(kline.bar.open, price);
  quoted(kline.bar.high, price);
  quoted(kline.bar.low, price);
  quoted(kline.bar.close, price);
  quoted(kline.bar.volume, lots);
  quoted(kline.quote_volume, 8);
  quoted(kline.quote_volume, 8);
  out += closed ? ",\"1\"]" : ",\"0\"]";
}

bool OkxRest::exceeds_limit(std::size_t call, std::int64_t real_ms) {
  Window& window = windows_[call];
  const std::int64_t number = real_ms / (limit_per_minute_ > 0 ? kMinuteMs : kWindowMs);
  if (number != window.number) window = {number, 0};
  return ++window.used > (limit_per_minute_ > 0 ? limit_per_minute_ : kCalls[call].limit);
}

RestAnswer OkxRest::get(const RestQuestion& question) {
  const Target target = parse_target(question.target);
  const auto found =
      std::find_if(kCalls.begin(), kCalls.end(), [&](const Call& each) { return each.path == target.path; });
  if (found == kCalls.end()) return fault(404, "404", "Not Found");
  const auto call = static_cast<std::size_t>(found - kCalls.begin());
  if (exceeds_limit(call, question.real_ms)) return fault(429, "50011", "Too Many Requests");
  if (call == kTime) return answer_with(R"({"ts":")" + std::to_string(question.now_ms) + "\"}");
  if (call == kCandles || call == kHistoryCandles) return candles(question, target, call == kCandles);
  bool swap = false;
  if (!read_type(target, swap)) return fault(400, "51000", "Parameter instType error");
  return call == kInstruments ? instruments(question, swap) : tickers(question, swap);
}

}  // namespace atcd::feeds::simulator
