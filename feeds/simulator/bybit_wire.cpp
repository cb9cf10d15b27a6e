#include "feeds/simulator/bybit_wire.hpp"

#include <simdjson.h>

#include <algorithm>

#include "feeds/json_number.hpp"
#include "feeds/json_text.hpp"
#include "feeds/simulator/bybit_rest.hpp"
#include "feeds/simulator/target.hpp"

// https://bybit-exchange.github.io/docs/v5/ws/connect and .../v5/websocket/public/kline
//
//   {"topic":"kline.1.BTCUSDT","data":[{"start":1795737600000,"end":1795737659999,"interval":"1",
//   "open":"91210.4","close":"91218","high":"91230.5","low":"91201","volume":"12.482",
//   "turnover":"1138521.0372","confirm":true,"timestamp":1795737660412}],"ts":1795737660412,
//   "type":"snapshot"}
//
// .../v5/websocket/public/trade, of which spot tells `i` as a number
//
//   {"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1795737601207,"data":[{"T":1795737601206,
//   "s":"BTCUSDT","S":"Buy","v":"0.015","p":"91212.5","i":"0b7f8f6e-43d3-5d4e-9a70-3f1f2a0c5c11","BT":false,
//   "RPI":false,"seq":912837465001}]}

namespace atcd::feeds::simulator {
namespace {

namespace dom = simdjson::dom;
using simdjson::SUCCESS;

constexpr std::string_view kKline = "kline.", kTrades = "publicTrade.";
constexpr std::size_t kStreamsPerConnection = 1000;
constexpr std::size_t kStreamsPerRequest = 10;  // spot's; the others take more
constexpr std::size_t kLongestId = 36;

/// {"success":true,"ret_msg":"","conn_id":"simulator","req_id":"1","op":"subscribe"}
std::string answer_text(bool success, std::string_view message, std::string_view id, std::string_view op) {
  std::string text = success ? R"({"success":true,"ret_msg":)" : R"({"success":false,"ret_msg":)";
  append_json_string(text, message);
  text += R"(,"conn_id":"simulator","req_id":)";
  append_json_string(text, id);
  text += ",\"op\":";
  append_json_string(text, op);
  return text + "}";
}

/// One element of a kline frame's data. False where it is not what Bybit documents.
bool read_bar(const dom::element& element, WireRecorded& recorded) {
  engine::Bar& bar = recorded.kline.bar;
  std::int64_t last_ms = 0;
  const bool read = element["start"].get(bar.open_time_ms) == SUCCESS &&
                    element["end"].get(last_ms) == SUCCESS &&
                    element["confirm"].get(recorded.closed) == SUCCESS;
  const auto number = [&](std::string_view key, double& into) {
    dom::element value;
    return element[key].get(value) == SUCCESS && read_quoted(value, into);
  };
  if (!read || last_ms >= 253'402'300'800'000 || !number("open", bar.open) || !number("close", bar.close) ||
      !number("high", bar.high) || !number("low", bar.low) || !number("volume", bar.volume) ||
      !number("turnover", recorded.kline.quote_volume))
    return false;
  bar.close_time_ms = last_ms + 1;
  return engine::is_valid(bar);
}

class BybitWire final : public Wire {
 public:
  BybitWire(std::int64_t weight_limit, std::chrono::milliseconds ban) : rest_(weight_limit, ban) {}

  std::string native_name(const MarketSymbol& symbol) const override { return symbol.symbol; }
  std::optional<WireOpening> open(std::string_view address) const override {
    constexpr std::string_view kPublic = "/v5/public/";
    const std::string_view path = parse_target(address).path;
    if (!path.starts_with(kPublic)) return std::nullopt;
    const auto market = std::find(kBybitMarkets.begin(), kBybitMarkets.end(), path.substr(kPublic.size()));
    if (market == kBybitMarkets.end()) return std::nullopt;
    return WireOpening{static_cast<Form>(market - kBybitMarkets.begin()), {}};
  }
  WireRequest read(std::string_view message) const override;

  std::vector<std::string> accepted(const WireRequest& request) const override {
    const bool subscribes = request.kind == WireRequest::Kind::subscribe;
    return {answer_text(true, "", request.id, subscribes ? "subscribe" : "unsubscribe")};
  }
  std::string refused(const WireRequest& request, Refusal why, std::string_view stream) const override {
    const std::string message = why == Refusal::too_many_streams
                                    ? "error:too many topics"
                                    : "error:handler not found,topic:" + std::string(stream);
    return answer_text(false, message, request.id, "subscribe");
  }
  // Bybit lists no subscriptions and has one form.
  std::string listed(const WireRequest&, const std::set<std::string>&) const override { return {}; }
  std::string form_told(const WireRequest&, Form) const override { return {}; }
  Form wrapped(Form form, bool) const override { return form; }
  std::string pong(const WireRequest& request) const override {
    return answer_text(true, "pong", request.id, "ping");
  }
  std::size_t streams_per_connection() const override { return kStreamsPerConnection; }
  std::string shutdown_text(std::int64_t) const override { return {}; }

  bool opens_at_last_close() const override { return true; }
  std::optional<WireStream> parse_stream(std::string_view name) const override;
  std::string frame(const WireFrame& content, Form form) const override;
  std::string trade_frame(const WireFrame& content, std::int64_t number, Form form) const override;
  std::optional<WireRecorded> read_recorded(std::string_view line) const override;
  std::string rewrapped(std::string_view, std::string_view payload, Form) const override {
    return std::string(payload);
  }

  RestAnswer get(const RestQuestion& question) override { return rest_.get(question); }

 private:
  BybitRest rest_;
};

/// {"op":"subscribe","args":["kline.1.BTCUSDT"],"req_id":"1"}
WireRequest BybitWire::read(std::string_view message) const {
  WireRequest request;
  dom::parser parser;
  dom::object document;
  const simdjson::padded_string padded(message);
  std::string_view op, id;
  if (parser.parse(padded).get(document) != SUCCESS || document["op"].get(op) != SUCCESS) {
    request.refusal = answer_text(false, "error:invalid op", "", "");
    return request;
  }
  if (document["req_id"].get(id) == SUCCESS) request.id = id.substr(0, kLongestId);
  if (op == "ping") {
    request.kind = WireRequest::Kind::ping;
    return request;
  }
  const auto malformed = [&](std::string_view why) {
    request.refusal = answer_text(false, why, request.id, op.substr(0, kLongestId));
    return request;
  };
  if (op != "subscribe" && op != "unsubscribe") return malformed("error:invalid op");
  dom::array args;
  if (document["args"].get(args) != SUCCESS || args.size() == 0) return malformed("error:no args");
  if (args.size() > kStreamsPerRequest) return malformed("args size >10");
  for (const dom::element each : args) {
    std::string_view stream;
    if (each.get(stream) != SUCCESS) return malformed("error:args must be texts");
    request.streams.emplace_back(stream);
  }
  request.kind = op == "subscribe" ? WireRequest::Kind::subscribe : WireRequest::Kind::unsubscribe;
  return request;
}

std::optional<WireStream> BybitWire::parse_stream(std::string_view name) const {
  if (name.starts_with(kTrades) && name.size() > kTrades.size()) {
    WireStream stream;
    stream.symbol = name.substr(kTrades.size());
    stream.trades = true;
    return stream;
  }
  if (!name.starts_with(kKline)) return std::nullopt;
  name.remove_prefix(kKline.size());
  const auto dot = name.find('.');
  const auto interval = bybit_interval(name.substr(0, dot));
  if (!interval || dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
  return WireStream{std::string(name.substr(dot + 1)), *interval, std::string(name.substr(0, dot))};
}

std::string BybitWire::frame(const WireFrame& content, Form form) const {
  const Kline& kline = content.kline;
  std::string text;
  text.reserve(384);
  const auto quoted = [&](std::string_view key, double value) {
    text.append(",\"").append(key).append("\":\"");
    append_shortest(text, value);
    text += '"';
  };
  text.append("{\"topic\":\"").append(kKline).append(content.interval_text).append(".");
  text.append(content.symbol.symbol).append("\",\"data\":[{\"start\":");
  text.append(std::to_string(kline.bar.open_time_ms));
  text.append(",\"end\":").append(std::to_string(kline.bar.close_time_ms - 1));
  text.append(",\"interval\":\"").append(content.interval_text).append("\"");
  quoted("open", kline.bar.open);
  quoted("close", kline.bar.close);
  quoted("high", kline.bar.high);
  quoted("low", kline.bar.low);
  quoted("volume", bybit_volume(kline, form));
  quoted("turnover", bybit_turnover(kline, form));
  const std::string event = std::to_string(content.event_ms);
  text.append(content.closed ? ",\"confirm\":true" : ",\"confirm\":false");
  text.append(",\"timestamp\":").append(event).append("}],\"ts\":").append(event);
  return text.append(",\"type\":\"snapshot\"}");
}

std::string BybitWire::trade_frame(const WireFrame& content, std::int64_t number, Form form) const {
  const Kline& trade = content.kline;
  const std::string& symbol = content.symbol.symbol;
  const std::string digits = std::to_string(number);
  std::string text = "{\"topic\":\"" + std::string(kTrades) + symbol + R"(","type":"snapshot","ts":)" +
                     std::to_string(content.event_ms) +
                     ",\"data\":[{\"T\":" + std::to_string(trade.bar.open_time_ms) + ",\"s\":\"" + symbol +
                     R"(","S":"Buy","v":")";
  append_shortest(text, bybit_volume(trade, form));
  text += R"(","p":")";
  append_shortest(text, trade.bar.close);
  text += R"(","i":")";
  if (form == kBybitSpot) {
    text.append("2290").append(15 - std::min<std::size_t>(15, digits.size()), '0').append(digits);
  } else {
    text += "0b7f8f6e-43d3-5d4e-9a70-";
    text.append(12 - std::min<std::size_t>(12, digits.size()), '0').append(digits);
  }
  return text.append(R"(","BT":false,"RPI":false,"seq":)").append(digits).append("}]}");
}

/// A frame tells its market nowhere: volumes are taken for those of spot and linear. Of several bars the one
/// that closed is known from then on; the next follows in a frame of its own.
std::optional<WireRecorded> BybitWire::read_recorded(std::string_view line) const {
  const simdjson::padded_string padded(line);
  dom::parser parser;
  dom::object frame;
  std::string_view topic;
  if (parser.parse(padded).get(frame) != SUCCESS || frame["topic"].get(topic) != SUCCESS) return std::nullopt;
  WireRecorded recorded;
  recorded.payload = line;
  recorded.stream = topic;
  recorded.symbol = topic.substr(topic.rfind('.') + 1);
  if (frame["ts"].get(recorded.event_ms) != SUCCESS) recorded.event_ms = 0;
  const auto stream = parse_stream(topic);
  dom::array bars;
  if (!stream || frame["data"].get(bars) != SUCCESS) return recorded;
  for (const dom::element each : bars) {
    recorded.interval = read_bar(each, recorded) ? std::optional(stream->interval) : std::nullopt;
    if (recorded.closed) break;
  }
  return recorded;
}

}  // namespace

std::unique_ptr<Wire> new_bybit_wire(std::int64_t weight_limit, std::chrono::milliseconds ban) {
  return std::make_unique<BybitWire>(weight_limit, ban);
}

}  // namespace atcd::feeds::simulator
