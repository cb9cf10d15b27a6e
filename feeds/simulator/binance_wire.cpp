#include "feeds/simulator/binance_wire.hpp"

#include <simdjson.h>

#include <algorithm>

#include "feeds/json_text.hpp"
#include "feeds/simulator/binance_recorded.hpp"
#include "feeds/simulator/binance_rest.hpp"
#include "feeds/simulator/target.hpp"

// https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
//
//   {"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1795477260071,"s":"BTCUSDT","k":{"t":1795477200000,
//   "T":1795477259999,"s":"BTCUSDT","i":"1m","f":100,"L":189,"o":"91238.41000000","c":"91240.00000000",
//   "h":"91252.70000000","l":"91230.15000000","v":"12.83455000","n":90,"x":true,"q":"1171036.72911600",
//   "V":"6.40218000","Q":"584140.00817300","B":"0"}}}

namespace atcd::feeds::simulator {
namespace {

constexpr std::string_view kKline = "@kline_", kTrades = "@aggTrade";
constexpr std::size_t kStreamsPerConnection = 1024;
constexpr std::size_t kLongestId = 36;
constexpr Form kWrapped = 1, kFutures = 2;

std::string error_text(int code, std::string_view message) {
  std::string text = "{\"code\":" + std::to_string(code) + ",\"msg\":";
  append_json_string(text, message);
  return text + "}";
}

WireRequest malformed(int code, std::string_view message) {
  WireRequest request;
  request.refusal = error_text(code, message);
  return request;
}

/// A 64-bit whole number, a short text or null, as it is written back. False for anything else.
bool read_id(const simdjson::dom::element& element, std::string& id) {
  std::int64_t number = 0;
  std::string_view text;
  if (element.is_null()) {
    id = "null";
  } else if (element.get(number) == simdjson::SUCCESS) {
    id = std::to_string(number);
  } else if (element.get(text) == simdjson::SUCCESS && text.size() <= kLongestId) {
    append_json_string(id, text);
  } else {
    return false;
  }
  return true;
}

class BinanceWire final : public Wire {
 public:
  explicit BinanceWire(std::int64_t weight_limit) : rest_(weight_limit) {}

  std::string native_name(const MarketSymbol& symbol) const override { return symbol.symbol; }
  std::optional<WireOpening> open(std::string_view address) const override;
  WireRequest read(std::string_view message) const override;

  std::vector<std::string> accepted(const WireRequest& request) const override {
    return {"{\"result\":null,\"id\":" + request.id + "}"};
  }
  std::string refused(const WireRequest& request, Refusal why, std::string_view stream) const override {
    std::string message = "Too many streams: at most " + std::to_string(kStreamsPerConnection);
    if (why != Refusal::too_many_streams)
      message = std::string(why == Refusal::unknown_stream ? "Invalid request: unknown stream "
                                                           : "Invalid request: no subscription to ") +
                std::string(stream);
    return "{\"error\":" + error_text(2, message) + ",\"id\":" + request.id + "}";
  }
  std::string listed(const WireRequest& request, const std::set<std::string>& streams) const override {
    std::string text = "{\"result\":[";
    for (const std::string& stream : streams) {
      if (text.back() != '[') text += ',';
      append_json_string(text, stream);
    }
    return text + "],\"id\":" + request.id + "}";
  }
  std::string form_told(const WireRequest& request, Form form) const override {
    return std::string("{\"result\":") + ((form & kWrapped) != 0 ? "true" : "false") +
           ",\"id\":" + request.id + "}";
  }
  std::string pong(const WireRequest&) const override { return {}; }
  Form wrapped(Form form, bool wrapped) const override {
    return static_cast<Form>(wrapped ? form | kWrapped : form & ~kWrapped);
  }
  std::size_t streams_per_connection() const override { return kStreamsPerConnection; }
  std::string shutdown_text(std::int64_t now_ms) const override {
    return "{\"e\":\"serverShutdown\",\"E\":" + std::to_string(now_ms) + "}";
  }

  bool opens_at_last_close() const override { return false; }
  std::optional<WireStream> parse_stream(std::string_view name) const override;
  std::string frame(const WireFrame& content, Form form) const override;
  std::string trade_frame(const WireFrame& content, std::int64_t number, Form form) const override;
  std::optional<WireRecorded> read_recorded(std::string_view line) const override {
    return read_binance_recorded(line);
  }
  std::string rewrapped(std::string_view stream, std::string_view payload, Form form) const override {
    if ((form & kWrapped) == 0) return std::string(payload);
    std::string text = "{\"stream\":";
    append_json_string(text, stream);
    return text + ",\"data\":" + std::string(payload) + "}";
  }

  RestAnswer get(const RestQuestion& question) override { return rest_.get(question); }

 private:
  BinanceRest rest_;
};

std::optional<WireOpening> BinanceWire::open(std::string_view address) const {
  const Target target = parse_target(address);
  std::string_view path = target.path;
  WireOpening opening;
  for (const std::string_view prefix : {"/market", "/public"}) {
    if (!path.starts_with(prefix)) continue;
    path.remove_prefix(prefix.size());
    opening.form = kFutures;
    break;
  }
  std::string_view listed;
  if (path == "/stream") {
    opening.form |= kWrapped;
    listed = target.value("streams");
  } else if (path.starts_with("/ws/")) {
    listed = path.substr(4);
  } else if (path != "/ws") {
    return std::nullopt;
  }
  while (!listed.empty()) {
    const std::string_view name = listed.substr(0, listed.find('/'));
    listed.remove_prefix(std::min(listed.size(), name.size() + 1));
    if (!name.empty()) opening.streams.emplace_back(name);
  }
  return opening;
}

/// {"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":1}
WireRequest BinanceWire::read(std::string_view message) const {
  simdjson::dom::parser parser;
  simdjson::dom::object document;
  const simdjson::padded_string padded(message);
  if (parser.parse(padded).get(document) != simdjson::SUCCESS)
    return malformed(3, "Invalid JSON: expected an object");
  WireRequest request;
  simdjson::dom::element id;
  std::string_view method;
  if (document["method"].get(method) != simdjson::SUCCESS)
    return malformed(2, "Invalid request: missing field `method`");
  if (document["id"].get(id) != simdjson::SUCCESS) return malformed(2, "Invalid request: missing field `id`");
  if (!read_id(id, request.id))
    return malformed(2, "Invalid request: request ID must be an integer, a string of at most 36, or null");
  if (method == "LIST_SUBSCRIPTIONS") {
    request.kind = WireRequest::Kind::list;
    return request;
  }
  simdjson::dom::array params;
  if (document["params"].get(params) != simdjson::SUCCESS)
    return malformed(2, "Invalid request: missing field `params`");
  if (method == "SET_PROPERTY" || method == "GET_PROPERTY") {
    const bool set = method == "SET_PROPERTY";
    std::string_view property;
    if (params.at(0).get(property) != simdjson::SUCCESS || property != "combined")
      return malformed(0, "Unknown property");
    if (set && params.at(1).get(request.wrapped) != simdjson::SUCCESS)
      return malformed(1, "Invalid value type: expected Boolean");
    request.kind = set ? WireRequest::Kind::set_form : WireRequest::Kind::get_form;
    return request;
  }
  if (method != "SUBSCRIBE" && method != "UNSUBSCRIBE")
    return malformed(2, "Invalid request: unknown variant `" + std::string(method.substr(0, kLongestId)) +
                            "`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, "
                            "`SET_PROPERTY`, `GET_PROPERTY`");
  for (const simdjson::dom::element each : params) {
    std::string_view stream;
    if (each.get(stream) != simdjson::SUCCESS) return malformed(2, "Invalid request: params must be texts");
    request.streams.emplace_back(stream);
  }
  request.kind = method == "SUBSCRIBE" ? WireRequest::Kind::subscribe : WireRequest::Kind::unsubscribe;
  return request;
}

std::optional<WireStream> BinanceWire::parse_stream(std::string_view name) const {
  const auto at = name.find('@');
  if (at == std::string_view::npos) return std::nullopt;
  WireStream stream;
  const std::string_view kind = name.substr(at);
  stream.trades = kind == kTrades;
  if (!stream.trades) {
    if (!kind.starts_with(kKline)) return std::nullopt;
    stream.interval_text = kind.substr(kKline.size());
    if (!binance_offers(stream.interval_text)) return std::nullopt;
    stream.interval = *engine::Interval::parse(stream.interval_text);
  }
  for (const char c : name.substr(0, at)) {
    if (c >= 'A' && c <= 'Z') return std::nullopt;  // names of streams are in small letters
    stream.symbol += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return stream;
}

std::string BinanceWire::frame(const WireFrame& content, Form form) const {
  const Kline& kline = content.kline;
  const std::string& symbol = content.symbol.symbol;
  const NumberForm numbers = number_form(content.symbol, (form & kFutures) != 0);
  std::string text;
  text.reserve(512);
  if ((form & kWrapped) != 0) {
    text += "{\"stream\":\"";
    for (const char c : symbol) text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    text.append(kKline).append(content.interval_text).append("\",\"data\":");
  }
  const auto quoted = [&](std::string_view key, double value, int decimals) {
    text.append(",\"").append(key).append("\":\"");
    append_decimal(text, value, decimals);
    text += '"';
  };
  const auto integer = [&](std::string_view key, std::int64_t value) {
    text.append(",\"").append(key).append("\":").append(std::to_string(value));
  };
  text += "{\"e\":\"kline\"";
  integer("E", content.event_ms);
  text.append(",\"s\":\"").append(symbol).append("\",\"k\":{\"t\":");
  text += std::to_string(kline.bar.open_time_ms);
  integer("T", kline.bar.close_time_ms - 1);
  text.append(",\"s\":\"").append(symbol).append("\",\"i\":\"").append(content.interval_text) += '"';
  integer("f", kline.first_trade);
  integer("L", kline.first_trade < 0 ? -1 : kline.first_trade + kline.trades - 1);
  quoted("o", kline.bar.open, numbers.price);
  quoted("c", kline.bar.close, numbers.price);
  quoted("h", kline.bar.high, numbers.price);
  quoted("l", kline.bar.low, numbers.price);
  quoted("v", kline.bar.volume, numbers.volume);
  integer("n", kline.trades);
  text += content.closed ? ",\"x\":true" : ",\"x\":false";
  quoted("q", kline.quote_volume, numbers.quote);
  quoted("V", kline.taker_volume, numbers.volume);
  quoted("Q", kline.taker_quote_volume, numbers.quote);
  text += ",\"B\":\"0\"}}";
  if ((form & kWrapped) != 0) text += '}';
  return text;
}

/// {"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1795477262014,"s":"BTCUSDT","a":26129,
///  "p":"91240.01000000","q":"0.00200000","f":100,"l":105,"T":1795477262011,"m":true,"M":true}}
std::string BinanceWire::trade_frame(const WireFrame& content, std::int64_t number, Form form) const {
  const Kline& trade = content.kline;
  const NumberForm numbers = number_form(content.symbol, (form & kFutures) != 0);
  std::string text = "{\"e\":\"aggTrade\",\"E\":" + std::to_string(content.event_ms) + ",\"s\":\"" +
                     content.symbol.symbol + "\",\"a\":" + std::to_string(number) + ",\"p\":\"";
  append_decimal(text, trade.bar.close, numbers.price);
  text += "\",\"q\":\"";
  append_decimal(text, trade.bar.volume, numbers.volume);
  text += "\",\"f\":" + std::to_string(trade.first_trade) +
          ",\"l\":" + std::to_string(trade.first_trade + trade.trades - 1) +
          ",\"T\":" + std::to_string(trade.bar.open_time_ms) + ",\"m\":true";
  text += (form & kFutures) != 0 ? "}" : ",\"M\":true}";
  return rewrapped(content.stream, text, form);
}

}  // namespace

std::unique_ptr<Wire> new_binance_wire(std::int64_t weight_limit) {
  return std::make_unique<BinanceWire>(weight_limit);
}

}  // namespace atcd::feeds::simulator
