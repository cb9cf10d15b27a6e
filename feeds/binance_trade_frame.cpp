#include "feeds/binance_trade_frame.hpp"

#include <array>
#include <cmath>
#include <cstring>

#include "feeds/json_fields.hpp"

// A combined frame (tests/feeds/frames/binance/2026-11-23-agg-trade.json); on a /ws path the object under
// "data" comes alone. https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
//
//   {"stream":"bnbbtc@aggTrade","data":{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":12345,"p":"0.001",
//   "q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}}

namespace atcd::feeds {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
// An event tells of what has been: a trade from the future would end the slots before it.
constexpr std::int64_t kMostAheadMs = 60'000;

/// The fields that a trade must have, each once.
enum Field : unsigned { kEventTime, kSymbol, kNumber, kPrice, kQuantity, kTradeTime, kFields };

struct FieldTexts {
  const char *missing, *twice, *wrong;
};
constexpr std::array<FieldTexts, kFields> kFieldTexts = {{
    {"E is missing", "E is there twice", "E is not a whole number of milliseconds"},
    {"s is missing", "s is there twice", "s is not a string"},
    {"a is missing", "a is there twice", "a is not a whole number"},
    {"p is missing", "p is there twice", "p is not a price in quotes"},
    {"q is missing", "q is there twice", "q is not a quantity in quotes"},
    {"T is missing", "T is there twice", "T is not a whole number of milliseconds"},
}};

constexpr const char* kOtherEvent = "another kind of event";

struct Event {
  Trade trade;
  unsigned seen = 0;  // a bit for each Field
  bool is_trade = false;
  const char* end = nullptr;
};

template <class Read>
const char* take(Event& event, Field field, Read&& read) {
  const unsigned bit = 1U << field;
  if ((event.seen & bit) != 0) return kFieldTexts[field].twice;
  event.seen |= bit;
  return read() ? nullptr : kFieldTexts[field].wrong;
}

/// Null, or why the frame is refused. `key` points behind its opening quote, raw.
const char* read_field(const char* key, ondemand::value value, Event& event) {
  if (key[0] == '"' || key[1] != '"') return nullptr;
  Trade& trade = event.trade;
  const auto other = [&](auto& into) { return [&] { return value.get(into) == simdjson::SUCCESS; }; };
  const auto number = [&](double& into) { return [&] { return read_quoted(value, event.end, into); }; };
  switch (key[0]) {
    case 'e': {
      ondemand::raw_json_string type;
      if (value.get_raw_json_string().get(type) != simdjson::SUCCESS) return kOtherEvent;
      // The padding makes nine bytes readable wherever the text lies.
      event.is_trade = std::memcmp(type.raw(), "aggTrade\"", 9) == 0;
      return event.is_trade ? nullptr : kOtherEvent;
    }
    case 'E':
      return take(event, kEventTime, other(trade.event_time_ms));
    case 's':
      return take(event, kSymbol, other(trade.symbol));
    case 'a':
      return take(event, kNumber, other(trade.first_id));
    case 'p':
      return take(event, kPrice, number(trade.price));
    case 'q':
      return take(event, kQuantity, number(trade.quantity));
    case 'T':
      return take(event, kTradeTime, other(trade.time_ms));
    default:
      return nullptr;  // the numbers of the trades in it, who was the maker: not ours
  }
}

const char* check(Event& event) {
  Trade& trade = event.trade;
  constexpr unsigned kAll = (1U << kFields) - 1;
  if (const unsigned missing = kAll & ~event.seen; missing != 0)
    return kFieldTexts[static_cast<std::size_t>(__builtin_ctz(missing))].missing;
  if (trade.symbol.empty()) return "s is empty";
  if (trade.first_id <= 0) return "a is not above 0";
  if (!(std::isfinite(trade.price) && trade.price > 0)) return "p is not above 0";
  if (!(std::isfinite(trade.quantity) && trade.quantity > 0)) return "q is not above 0";
  if (trade.time_ms < 0 || trade.time_ms >= kYear10000Ms) return "T is not a time of our calendar";
  if (trade.event_time_ms < 0 || trade.event_time_ms >= kYear10000Ms)
    return "E is not a time of our calendar";
  if (trade.time_ms > trade.event_time_ms + kMostAheadMs) return "T lies more than a minute after E";
  trade.last_id = trade.first_id;
  return nullptr;
}

}  // namespace

std::optional<FrameResult> BinanceTradeReader::read(std::string_view frame, FrameSink& sink) {
  Event event;
  event.end = frame.data() + frame.size();
  ondemand::document document;
  ondemand::object root;
  const std::size_t readable = frame.size() + simdjson::SIMDJSON_PADDING;
  if (parser_.iterate(frame.data(), frame.size(), readable).get(document) != simdjson::SUCCESS ||
      document.get_object().get(root) != simdjson::SUCCESS)
    return std::nullopt;
  const char* reason = for_each_field(root, [&](const char* key, ondemand::value value) -> const char* {
    if (std::memcmp(key, "data\"", 5) != 0) return read_field(key, value, event);
    ondemand::object data;
    if (value.get(data) != simdjson::SUCCESS) return kOtherEvent;
    return for_each_field(
        data, [&](const char* name, ondemand::value field) { return read_field(name, field, event); });
  });
  if (!event.is_trade) return std::nullopt;
  const char* rest = nullptr;
  if (reason == nullptr && document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS)
    reason = kNotJson;
  if (reason == nullptr) reason = check(event);
  if (reason != nullptr) return FrameResult{FrameKind::malformed, 0, reason};
  sink.on_trade(event.trade);
  return FrameResult{FrameKind::trades, 0, {}};
}

}  // namespace atcd::feeds
