#include <simdjson.h>

#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "engine/anchor.hpp"
#include "feeds/bybit.hpp"
#include "feeds/json_number.hpp"

// A frame that closes a bar and begins the next (tests/feeds/frames/bybit/
// 2026-11-27-linear-kline-closed-and-new.json); on spot each comes alone.
// https://bybit-exchange.github.io/docs/v5/websocket/public/kline and .../public/trade
//
//   {"topic":"kline.1.BTCUSDT","data":[{"start":1795737600000,"end":1795737659999,"interval":"1",
//   "open":"91210.4","close":"91218","high":"91230.5","low":"91201","volume":"12.482",
//   "turnover":"1138521.0372","confirm":true,"timestamp":1795737660412},{"start":1795737660000,
//   "end":1795737719999,"interval":"1","open":"91218","close":"91218","high":"91218","low":"91218",
//   "volume":"0","turnover":"0","confirm":false,"timestamp":1795737660412}],"ts":1795737660412,
//   "type":"snapshot"}
//
//   {"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1795737601207,"data":[{"T":1795737601206,
//   "s":"BTCUSDT","S":"Buy","v":"0.015","p":"91212.50","L":"PlusTick",
//   "i":"0b7f8f6e-43d3-5d4e-9a70-3f1f2a0c5c11","BT":false,"RPI":false,"seq":912837465001}]}

namespace atcd::feeds {
namespace {

namespace dom = simdjson::dom;
using simdjson::SUCCESS;

constexpr std::size_t kLargestFrame = 4U << 20;
constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
constexpr std::size_t kLongestQuotedMessage = 200;
// A frame tells of what has been: a trade or a closed bar from the future would end what comes before it.
constexpr std::int64_t kMostAheadMs = 60'000;
constexpr std::string_view kKlineTopic = "kline.", kTradeTopic = "publicTrade.";

/// A field that an object must have, once.
struct Field {
  std::string_view name;
  const char* missing;
  const char* twice;
  const char* wrong;
};

enum EnvelopeField : std::size_t { kTopic, kEventTime, kData, kEnvelopeFields };
constexpr std::array<Field, kEnvelopeFields> kEnvelope = {{
    {"topic", "topic is missing", "topic is there twice", "topic is not a string"},
    {"ts", "ts is missing", "ts is there twice", "ts is not a time in whole milliseconds"},
    {"data", "data is missing", "data is there twice", "data is not an array"},
}};

enum BarField : std::size_t {
  kStart,
  kEnd,
  kInterval,
  kOpen,
  kClose,
  kHigh,
  kLow,
  kVolume,
  kConfirm,
  kBarFields
};
constexpr std::array<Field, kBarFields> kBar = {{
    {"start", "start is missing", "start is there twice", "start is not a time in whole milliseconds"},
    {"end", "end is missing", "end is there twice", "end is not a time in whole milliseconds"},
    {"interval", "interval is missing", "interval is there twice", "interval is not a string"},
    {"open", "open is missing", "open is there twice", "open is not a price in quotes"},
    {"close", "close is missing", "close is there twice", "close is not a price in quotes"},
    {"high", "high is missing", "high is there twice", "high is not a price in quotes"},
    {"low", "low is missing", "low is there twice", "low is not a price in quotes"},
    {"volume", "volume is missing", "volume is there twice", "volume is not a volume in quotes"},
    {"confirm", "confirm is missing", "confirm is there twice", "confirm is neither true nor false"},
}};

enum TradeField : std::size_t { kTime, kSymbol, kQuantity, kPrice, kId, kBlock, kTradeFields };
constexpr std::array<Field, kTradeFields> kTrade = {{
    {"T", "T is missing", "T is there twice", "T is not a time in whole milliseconds"},
    {"s", "s is missing", "s is there twice", "s is not a string"},
    {"v", "v is missing", "v is there twice", "v is not a quantity in quotes"},
    {"p", "p is missing", "p is there twice", "p is not a price in quotes"},
    {"i", "i is missing", "i is there twice", "i is not a text"},
    {"BT", "BT is missing", "BT is there twice", "BT is neither true nor false"},
}};

/// Hands the value of each of `fields` to `take(number of the field, value)`, which says whether it is of
/// the right kind. Null, or why the object is refused.
template <std::size_t kCount, class Take>
const char* read_fields(const dom::object& object, const std::array<Field, kCount>& fields, Take&& take) {
  unsigned seen = 0;
  for (const dom::key_value_pair pair : object) {
    for (std::size_t i = 0; i < kCount; ++i) {
      if (pair.key != fields[i].name) continue;
      if ((seen >> i & 1U) != 0) return fields[i].twice;
      seen |= 1U << i;
      if (!take(i, pair.value)) return fields[i].wrong;
      break;
    }
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    if ((seen >> i & 1U) == 0) return fields[i].missing;
  }
  return nullptr;
}

bool read_time(const dom::element& element, std::int64_t& time_ms) {
  return element.get(time_ms) == SUCCESS && time_ms >= 0 && time_ms < kYear10000Ms;
}

struct Envelope {
  std::int64_t event_time_ms = 0;
  dom::array data;
};

const char* read_envelope(const dom::object& frame, Envelope& envelope) {
  const char* reason = read_fields(frame, kEnvelope, [&](std::size_t field, const dom::element& value) {
    if (field == kEventTime) return read_time(value, envelope.event_time_ms);
    return field == kTopic || value.get(envelope.data) == SUCCESS;
  });
  if (reason != nullptr) return reason;
  return envelope.data.size() == 0 ? "data is empty" : nullptr;
}

/// One element of a kline frame's data, of the topic's interval.
const char* read_bar(const dom::element& element, const BybitInterval& interval, Kline& kline) {
  dom::object object;
  if (element.get(object) != SUCCESS) return "data holds something other than an object";
  engine::Bar& bar = kline.bar;
  std::int64_t last_ms = 0;
  std::string_view interval_text;
  const char* reason = read_fields(object, kBar, [&](std::size_t field, const dom::element& value) {
    switch (field) {
      case kStart:
        return read_time(value, bar.open_time_ms);
      case kEnd:
        return read_time(value, last_ms);
      case kInterval:
        return value.get(interval_text) == SUCCESS;
      case kOpen:
        return read_quoted(value, bar.open);
      case kClose:
        return read_quoted(value, bar.close);
      case kHigh:
        return read_quoted(value, bar.high);
      case kLow:
        return read_quoted(value, bar.low);
      case kVolume:
        return read_quoted(value, bar.volume);
      default:
        return value.get(kline.closed) == SUCCESS;
    }
  });
  if (reason != nullptr) return reason;
  if (interval_text != interval.theirs) return "interval is not that of the topic";
  if (!interval.interval.is_boundary(bar.open_time_ms)) return "start is not a boundary of the interval";
  bar.close_time_ms = interval.interval.close_time_ms(bar.open_time_ms);
  if (last_ms != bar.close_time_ms - 1) return "end is not the last millisecond of the interval";
  if (kline.closed && last_ms > kline.event_time_ms + kMostAheadMs)
    return "confirm is true more than a minute before end";
  return engine::is_valid(bar) ? nullptr : "not 0 < low <= open, close <= high with a volume >= 0";
}

const char* read_trade(const dom::element& element, Trade& trade) {
  dom::object object;
  if (element.get(object) != SUCCESS) return "data holds something other than an object";
  std::string_view symbol, id;
  const char* reason = read_fields(object, kTrade, [&](std::size_t field, const dom::element& value) {
    switch (field) {
      case kTime:
        return read_time(value, trade.time_ms);
      case kSymbol:
        return value.get(symbol) == SUCCESS;
      case kQuantity:
        return read_quoted(value, trade.quantity);
      case kPrice:
        return read_quoted(value, trade.price);
      case kId:
        return value.get(id) == SUCCESS && !id.empty();
      default:
        return value.get(trade.off_book) == SUCCESS;
    }
  });
  if (reason != nullptr) return reason;
  // A UUID on linear and inverse, a number on spot. A bit makes sure that it is none without an identity.
  trade.identity = engine::fnv1a_64(id) | 1;
  if (symbol != trade.symbol) return "s is not the symbol of the topic";
  if (trade.time_ms > trade.event_time_ms + kMostAheadMs) return "T is more than a minute after ts";
  return trade.price > 0 && trade.quantity > 0 ? nullptr : "p or v is not above 0";
}

/// "kline.1.BTCUSDT" or "publicTrade.BTCUSDT", understood. Without a symbol for any other text.
StreamView stream_of(std::string_view topic) {
  if (topic.starts_with(kTradeTopic)) return {topic.substr(kTradeTopic.size()), {}};
  if (!topic.starts_with(kKlineTopic)) return {};
  topic.remove_prefix(kKlineTopic.size());
  const auto dot = topic.find('.');
  const BybitInterval* interval = find_bybit_interval(&BybitInterval::theirs, topic.substr(0, dot));
  if (interval == nullptr || dot == std::string_view::npos) return {};
  return {topic.substr(dot + 1), interval->ours};
}

/// The stream that a refusal names: "error:handler not found,topic:kline.1.NOPE" (linear and inverse) or
/// "Invalid symbol :[kline.1.NOPE]" (spot). Without a symbol where it names none or several.
StreamView refused_stream(std::string_view message) {
  constexpr std::string_view kTopicMark = ",topic:";
  std::string_view topic;
  if (const auto at = message.rfind(kTopicMark); at != std::string_view::npos) {
    topic = message.substr(at + kTopicMark.size());
  } else if (const auto open = message.find('['); open != std::string_view::npos && message.ends_with(']')) {
    topic = message.substr(open + 1, message.size() - open - 2);
  }
  return topic.find_first_of(", ") == std::string_view::npos ? stream_of(topic) : StreamView{};
}

class BybitFrameParser final : public FrameParser {
 public:
  FrameResult parse(std::string_view frame, FrameSink& sink) override {
    if (frame.size() > kLargestFrame) return malformed("longer than 4 MiB");
    dom::element root;
    if (const auto error = parser_.parse(frame.data(), frame.size(), false).get(root); error != SUCCESS)
      return malformed(simdjson::error_message(error));
    dom::object object;
    if (root.get(object) != SUCCESS) return {FrameKind::ignored, 0, {}};
    std::string_view topic;
    if (object["topic"].get(topic) != SUCCESS) return answer(object);
    if (topic.starts_with(kKlineTopic)) return klines(object, topic, sink);
    if (topic.starts_with(kTradeTopic)) return trades(object, topic, sink);
    return {FrameKind::ignored, 0, {}};
  }

 private:
  static FrameResult malformed(const char* reason) { return {FrameKind::malformed, 0, reason}; }

  FrameResult klines(const dom::object& frame, std::string_view topic, FrameSink& sink) {
    const StreamView stream = stream_of(topic);
    if (stream.symbol.empty()) return malformed("topic has no interval that Bybit offers, or no symbol");
    const BybitInterval& interval = *find_bybit_interval(&BybitInterval::ours, stream.interval);
    Envelope envelope;
    if (const char* reason = read_envelope(frame, envelope)) return malformed(reason);
    klines_.clear();
    for (const dom::element element : envelope.data) {
      Kline& kline = klines_.emplace_back();
      kline.symbol = stream.symbol;
      kline.interval = stream.interval;
      kline.event_time_ms = envelope.event_time_ms;
      if (const char* reason = read_bar(element, interval, kline)) return malformed(reason);
    }
    for (const Kline& kline : klines_) sink.on_kline(kline);
    return {FrameKind::klines, 0, {}};
  }

  FrameResult trades(const dom::object& frame, std::string_view topic, FrameSink& sink) {
    const StreamView stream = stream_of(topic);
    if (stream.symbol.empty()) return malformed("topic has no symbol");
    Envelope envelope;
    if (const char* reason = read_envelope(frame, envelope)) return malformed(reason);
    trades_.clear();
    for (const dom::element element : envelope.data) {
      Trade& trade = trades_.emplace_back();
      trade.symbol = stream.symbol;
      trade.event_time_ms = envelope.event_time_ms;
      if (const char* reason = read_trade(element, trade)) return malformed(reason);
    }
    for (const Trade& trade : trades_) sink.on_trade(trade);
    return {FrameKind::trades, 0, {}};
  }

  /// {"success":true,"ret_msg":"subscribe","conn_id":"...","req_id":"7","op":"subscribe"}: spot's ret_msg;
  /// that of the others is empty. A pong has op "ping" and ret_msg "pong", or op "pong" and no success.
  FrameResult answer(const dom::object& frame) {
    std::string_view op;
    if (frame["op"].get(op) != SUCCESS) return {FrameKind::ignored, 0, {}};
    if (op == "pong") return {FrameKind::pong, 0, {}};
    std::int64_t request_id = 0;
    if (!read_request_id(frame, request_id)) return malformed("req_id is not a whole number in quotes");
    bool success = false;
    if (frame["success"].get(success) != SUCCESS) return malformed("an answer that does not tell success");
    if (op == "ping") return success ? FrameResult{FrameKind::pong, 0, {}} : malformed("a ping was refused");
    const bool subscribes = op == "subscribe";
    if (success)
      return {subscribes || op == "unsubscribe" ? FrameKind::ack : FrameKind::ignored, request_id, {}};
    std::string_view message;
    if (frame["ret_msg"].get(message) != SUCCESS) return malformed("a refusal without ret_msg");
    text_ = message.substr(0, kLongestQuotedMessage);
    FrameResult result{FrameKind::refusal, request_id, text_};
    if (subscribes) result.stream = refused_stream(message);
    result.carried = message.find("already subscribed") != std::string_view::npos;
    return result;
  }

  /// 0 where there is none.
  static bool read_request_id(const dom::object& frame, std::int64_t& request_id) {
    dom::element element;
    if (frame["req_id"].get(element) != SUCCESS) return true;
    std::string_view text;
    if (element.get(text) != SUCCESS) return false;
    if (text.empty()) return true;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), request_id);
    return error == std::errc() && end == text.data() + text.size() && request_id >= 0;
  }

  dom::parser parser_{kLargestFrame};
  std::vector<Kline> klines_;
  std::vector<Trade> trades_;
  std::string text_;
};

}  // namespace

std::unique_ptr<FrameParser> new_bybit_frame_parser() { return std::make_unique<BybitFrameParser>(); }

}  // namespace atcd::feeds
