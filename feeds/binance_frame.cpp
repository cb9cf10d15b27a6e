#include <simdjson.h>

#include <array>
#include <cstring>
#include <string>

#include "feeds/binance.hpp"
#include "feeds/binance_kline.hpp"
#include "feeds/binance_kline_scan.hpp"
#include "feeds/binance_trade_frame.hpp"
#include "feeds/json_fields.hpp"

// A combined frame (tests/feeds/frames/binance/2026-11-23-spot-kline-closed.json); on a /ws path the object
// under "data" comes alone. https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
//
//   {"stream":"bnbbtc@kline_1m","data":{"e":"kline","E":1672515780120,"s":"BNBBTC","k":{"t":1672515720000,
//   "T":1672515779999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025",
//   "l":"0.0015","v":"1000","n":100,"x":true,"q":"1.0000","V":"500","Q":"0.500","B":"0"}}}

namespace atcd::feeds {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t kLargestFrame = 4U << 20;
constexpr std::size_t kLongestQuotedMessage = 200;

/// The fields that a kline frame must have, each once.
enum Field : unsigned {
  kOpenTime,
  kCloseTime,
  kSymbol,
  kIntervalText,
  kOpen,
  kClose,
  kHigh,
  kLow,
  kVolume,
  kClosed,
  kBar,
  kEventType,
  kEventTime,
  kEventSymbol,
  kFields
};

struct FieldText {
  const char* missing;
  const char* twice;
  const char* wrong;
};

constexpr std::array<FieldText, kFields> kFieldTexts = {{
    {"k.t is missing", "k.t is there twice", "k.t is not a whole number of milliseconds"},
    {"k.T is missing", "k.T is there twice", "k.T is not a whole number of milliseconds"},
    {"k.s is missing", "k.s is there twice", "k.s is not a string"},
    {"k.i is missing", "k.i is there twice", "k.i is not a string"},
    {"k.o is missing", "k.o is there twice", "k.o is not a price in quotes"},
    {"k.c is missing", "k.c is there twice", "k.c is not a price in quotes"},
    {"k.h is missing", "k.h is there twice", "k.h is not a price in quotes"},
    {"k.l is missing", "k.l is there twice", "k.l is not a price in quotes"},
    {"k.v is missing", "k.v is there twice", "k.v is not a volume in quotes"},
    {"k.x is missing", "k.x is there twice", "k.x is neither true nor false"},
    {"k is missing", "k is there twice", "k is not an object"},
    {"e is missing", "e is there twice", "e is not a string"},
    {"E is missing", "E is there twice", "E is not a whole number of milliseconds"},
    {"s is missing", "s is there twice", "s is not a string"},
}};

constexpr const char* kNotAKline = "another kind of event";

/// One kline frame while it is read. The readers return null, or why the frame is refused.
struct Event {
  Kline kline;
  std::string_view symbol_of_event;
  std::int64_t last_ms = 0;  // "T"
  unsigned seen = 0;         // a bit for each Field
  const char* end = nullptr;
};

const char* once(Event& event, Field field) {
  const unsigned bit = 1U << field;
  if ((event.seen & bit) != 0) return kFieldTexts[field].twice;
  event.seen |= bit;
  return nullptr;
}

const char* read_bar_field(char name, ondemand::value value, Event& event) {
  const auto take = [&](Field field, auto&& read) -> const char* {
    if (const char* twice = once(event, field)) return twice;
    return read() ? nullptr : kFieldTexts[field].wrong;
  };
  const auto number = [&](double& into) { return [&] { return read_quoted(value, event.end, into); }; };
  const auto other = [&](auto& into) { return [&] { return value.get(into) == simdjson::SUCCESS; }; };
  engine::Bar& bar = event.kline.bar;
  switch (name) {
    case 't':
      return take(kOpenTime, other(bar.open_time_ms));
    case 'T':
      return take(kCloseTime, other(event.last_ms));
    case 's':
      return take(kSymbol, other(event.kline.symbol));
    case 'i':
      return take(kIntervalText, other(event.kline.interval));
    case 'o':
      return take(kOpen, number(bar.open));
    case 'c':
      return take(kClose, number(bar.close));
    case 'h':
      return take(kHigh, number(bar.high));
    case 'l':
      return take(kLow, number(bar.low));
    case 'v':
      return take(kVolume, number(bar.volume));
    case 'x':
      return take(kClosed, other(event.kline.closed));
    default:
      return nullptr;  // trade numbers, quote volumes: not ours
  }
}

const char* read_event_field(const char* key, ondemand::value value, Event& event) {
  if (key[0] == '"' || key[1] != '"') return nullptr;
  switch (key[0]) {
    case 'e': {
      if (const char* twice = once(event, kEventType)) return twice;
      ondemand::raw_json_string type;
      if (value.get_raw_json_string().get(type) != simdjson::SUCCESS) return kFieldTexts[kEventType].wrong;
      // The padding makes six bytes readable wherever the text lies.
      return std::memcmp(type.raw(), "kline\"", 6) == 0 ? nullptr : kNotAKline;
    }
    case 'E':
      if (const char* twice = once(event, kEventTime)) return twice;
      return value.get(event.kline.event_time_ms) == simdjson::SUCCESS ? nullptr
                                                                       : kFieldTexts[kEventTime].wrong;
    case 's':
      if (const char* twice = once(event, kEventSymbol)) return twice;
      return value.get(event.symbol_of_event) == simdjson::SUCCESS ? nullptr
                                                                   : kFieldTexts[kEventSymbol].wrong;
    case 'k': {
      if (const char* twice = once(event, kBar)) return twice;
      ondemand::object bar;
      if (value.get(bar) != simdjson::SUCCESS) return kFieldTexts[kBar].wrong;
      return for_each_field(bar, [&](const char* name, ondemand::value field) -> const char* {
        return name[0] != '"' && name[1] == '"' ? read_bar_field(name[0], field, event) : nullptr;
      });
    }
    default:
      return nullptr;
  }
}

class BinanceFrameParser final : public FrameParser {
 public:
  /// `scans`: what is written just as Binance writes it is read without simdjson.
  explicit BinanceFrameParser(bool scans) : scans_(scans) {}

  FrameResult parse(std::string_view frame, FrameSink& sink) override {
    if (frame.size() > kLargestFrame) return {FrameKind::malformed, 0, "longer than 4 MiB"};
    Kline kline;
    std::int64_t last_ms = 0;
    if (scans_ && scan_binance_kline(frame, kline, last_ms) && check_.refusal(kline, last_ms) == nullptr) {
      sink.on_kline(kline);
      return {FrameKind::klines, 0, {}};
    }
    Event event;
    const char* reason = read(frame, event);
    if (reason == nullptr) {
      sink.on_kline(event.kline);
      return {FrameKind::klines, 0, {}};
    }
    if (reason == kNotAKline) {
      if (const auto trade = trades_.read(frame, sink)) return *trade;
    }
    return classify(frame, reason);
  }

 private:
  const char* read(std::string_view frame, Event& event) {
    event.end = frame.data() + frame.size();
    ondemand::document document;
    ondemand::object root;
    const std::size_t readable = frame.size() + simdjson::SIMDJSON_PADDING;
    if (klines_.iterate(frame.data(), frame.size(), readable).get(document) != simdjson::SUCCESS ||
        document.get_object().get(root) != simdjson::SUCCESS)
      return kNotJson;
    const char* reason = for_each_field(root, [&](const char* key, ondemand::value value) -> const char* {
      if (std::memcmp(key, "data\"", 5) != 0) return read_event_field(key, value, event);
      ondemand::object data;
      if (value.get(data) != simdjson::SUCCESS) return kNotAKline;
      return for_each_field(data, [&](const char* name, ondemand::value field) {
        return read_event_field(name, field, event);
      });
    });
    if (reason != nullptr) return reason;
    const char* rest = nullptr;
    if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) return kNotJson;
    return check(event);
  }

  const char* check(Event& event) {
    constexpr unsigned kAll = (1U << kFields) - 1;
    if (const unsigned missing = kAll & ~event.seen; missing != 0)
      return kFieldTexts[static_cast<std::size_t>(__builtin_ctz(missing))].missing;
    if (event.kline.symbol.empty()) return "k.s is empty";
    if (event.kline.symbol != event.symbol_of_event) return "s and k.s differ";
    return check_.refusal(event.kline, event.last_ms);
  }

  /// Whatever is not a kline in good order is read again by the parser that checks everything. `reason`: why
  /// it is no kline.
  FrameResult classify(std::string_view frame, const char* reason) {
    simdjson::dom::element root;
    if (const auto error = others_.parse(frame.data(), frame.size(), false).get(root);
        error != simdjson::SUCCESS)
      return {FrameKind::malformed, 0, simdjson::error_message(error)};
    simdjson::dom::object object;
    if (root.get(object) != simdjson::SUCCESS) return {FrameKind::ignored, 0, {}};
    simdjson::dom::object data;
    if (object["data"].get(data) != simdjson::SUCCESS) data = object;
    std::string_view type;
    if (data["e"].get(type) == simdjson::SUCCESS) {
      if (type == "kline") return {FrameKind::malformed, 0, reason};
      return {type == "serverShutdown" ? FrameKind::closing : FrameKind::ignored, 0, {}};
    }
    return classify_answer(object);
  }

  /// {"result":null,"id":1}, {"error":{"code":2,"msg":"..."},"id":1}, {"code":2,"msg":"...","id":1}
  FrameResult classify_answer(const simdjson::dom::object& answer) {
    simdjson::dom::element id;
    std::int64_t request_id = 0;
    const bool numbered = answer["id"].get(id) == simdjson::SUCCESS && !id.is_null();
    if (numbered && id.get(request_id) != simdjson::SUCCESS)
      return {FrameKind::malformed, 0, "id is not a whole number"};
    simdjson::dom::object error;
    const bool nested = answer["error"].get(error) == simdjson::SUCCESS;
    if (!nested) error = answer;
    std::int64_t code = 0;
    std::string_view message;
    if (error["code"].get(code) == simdjson::SUCCESS && error["msg"].get(message) == simdjson::SUCCESS) {
      text_ = "code " + std::to_string(code) + ": ";
      text_ += message.substr(0, kLongestQuotedMessage);
      return {FrameKind::refusal, request_id, text_};
    }
    if (nested) return {FrameKind::malformed, 0, "error has no code and msg"};
    if (answer["result"].error() != simdjson::SUCCESS) return {FrameKind::ignored, 0, {}};
    if (!numbered) return {FrameKind::malformed, 0, "an answer without an id"};
    return {FrameKind::ack, request_id, {}};
  }

  ondemand::parser klines_{kLargestFrame};
  BinanceTradeReader trades_;
  simdjson::dom::parser others_{kLargestFrame};
  BinanceKlineCheck check_;
  bool scans_;
  std::string text_;
};

}  // namespace

std::unique_ptr<FrameParser> new_binance_frame_parser() { return std::make_unique<BinanceFrameParser>(true); }

std::unique_ptr<FrameParser> new_binance_full_frame_parser() {
  return std::make_unique<BinanceFrameParser>(false);
}

}  // namespace atcd::feeds
