#include "feeds/simulator/okx_wire.hpp"

#include <simdjson.h>

#include <limits>

#include "feeds/json_text.hpp"
#include "feeds/okx.hpp"
#include "feeds/simulator/binance_rest.hpp"
#include "feeds/simulator/okx_rest.hpp"
#include "feeds/simulator/target.hpp"

// https://www.okx.com/docs-v5/en/#websocket-api
//
//   {"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1795748400000","91238.4","91252.7","91230.1",
//   "91240","12.83455","1171036.729116","1171036.729116","1"]]}
//
//   {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"905577312",
//   "px":"91240.1","sz":"0.0214","side":"buy","ts":"1795748412345","count":"1","source":"0","seqId":88120}]}

namespace atcd::feeds::simulator {
namespace {

using simdjson::SUCCESS;
constexpr std::string_view kConnection = "5a1d7c3e";
constexpr std::size_t kLongestId = 32, kLongestQuoted = 200;

/// "candle1m:BTC-USDT" in its parts.
struct StreamParts {
  std::string_view channel, instrument;
};

StreamParts parts_of(std::string_view stream) {
  const auto colon = stream.find(':');
  if (colon == std::string_view::npos) return {stream, {}};
  return {stream.substr(0, colon), stream.substr(colon + 1)};
}

void append_arg(std::string& text, std::string_view stream) {
  const StreamParts parts = parts_of(stream);
  text += R"("arg":{"channel":)";
  append_json_string(text, parts.channel);
  text += R"(,"instId":)";
  append_json_string(text, parts.instrument);
  text += '}';
}

std::string begin_event(const std::string& id, std::string_view event) {
  std::string text = "{";
  if (!id.empty()) {
    text += "\"id\":";
    append_json_string(text, id);
    text += ',';
  }
  return text.append("\"event\":\"").append(event).append("\",");
}

std::string end_event(std::string text) { return text.append(R"(,"connId":")").append(kConnection) + "\"}"; }

std::string error_text(const std::string& id, std::string_view code, std::string_view message) {
  std::string text = begin_event(id, "error");
  text.append("\"code\":\"").append(code).append("\",\"msg\":");
  append_json_string(text, message);
  return end_event(std::move(text));
}

class OkxWire final : public Wire {
 public:
  explicit OkxWire(std::int64_t weight_limit) : rest_(weight_limit) {}

  std::string native_name(const MarketSymbol& symbol) const override {
    return symbol.base + "-" + symbol.quote;
  }
  std::optional<WireOpening> open(std::string_view address) const override {
    const std::string_view path = parse_target(address).path;
    if (path != "/ws/v5/business" && path != "/ws/v5/public") return std::nullopt;
    return WireOpening{};
  }
  WireRequest read(std::string_view message) const override;

  std::vector<std::string> accepted(const WireRequest& request) const override {
    const bool subscribes = request.kind == WireRequest::Kind::subscribe;
    std::vector<std::string> answers;
    for (const std::string& stream : request.streams) {
      std::string text = begin_event(request.id, subscribes ? "subscribe" : "unsubscribe");
      append_arg(text, stream);
      answers.push_back(end_event(std::move(text)));
    }
    return answers;
  }
  std::string refused(const WireRequest& request, Refusal, std::string_view stream) const override {
    const StreamParts parts = parts_of(stream);
    std::string message = "Wrong URL or channel:";
    message.append(parts.channel).append(",instId:").append(parts.instrument);
    message +=
        " doesn't exist. Please use the correct URL, channel and parameters referring to API document.";
    return error_text(request.id, "60018", message);
  }
  bool answers_each() const override { return true; }
  // OKX has neither lists nor forms: read() never asks for them.
  std::string listed(const WireRequest&, const std::set<std::string>&) const override { return {}; }
  std::string form_told(const WireRequest&, Form) const override { return {}; }
  Form wrapped(Form form, bool) const override { return form; }
  std::string pong(const WireRequest&) const override { return "pong"; }
  std::size_t streams_per_connection() const override { return std::numeric_limits<std::size_t>::max(); }
  std::string shutdown_text(std::int64_t) const override {
    return end_event(
        R"({"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. )"
        R"(Please reconnect.")");
  }

  bool opens_at_last_close() const override { return false; }
  std::optional<WireStream> parse_stream(std::string_view name) const override {
    const StreamParts parts = parts_of(name);
    if (parts.channel == kOkxTrades && !parts.instrument.empty()) {
      WireStream stream;
      stream.symbol = okx_pair(parts.instrument);
      stream.trades = true;
      return stream;
    }
    const OkxInterval* known = okx_candle_channel(parts.channel);
    if (known == nullptr) return std::nullopt;
    return WireStream{std::string(okx_pair(parts.instrument)), known->interval, std::string(known->theirs)};
  }
  std::string frame(const WireFrame& content, Form) const override {
    std::string text = "{";
    text.reserve(256);
    append_arg(text, content.stream);
    text += ",\"data\":[";
    append_okx_row(text, content.symbol, content.kline, content.closed);
    return text += "]}";
  }
  std::string trade_frame(const WireFrame& content, std::int64_t number, Form) const override {
    // Two of three frames tell one trade, the third two.
    const std::int64_t last = number + number / 3, count = number % 3 == 0 ? 2 : 1;
    std::string text = "{";
    append_arg(text, content.stream);
    text += ",\"data\":[{\"instId\":";
    append_json_string(text, parts_of(content.stream).instrument);
    text += ",\"tradeId\":\"" + std::to_string(last) + "\",\"px\":\"";
    append_decimal(text, content.kline.bar.close, decimals_of(content.symbol.tick_e8));
    text += "\",\"sz\":\"";
    append_decimal(text, content.kline.bar.volume, decimals_of(content.symbol.lot_e8));
    text += R"(","side":"buy","ts":")" + std::to_string(content.kline.bar.open_time_ms) + R"(","count":")";
    return text + std::to_string(count) + R"(","source":"0","seqId":)" + std::to_string(number) + "}]}";
  }
  std::optional<WireRecorded> read_recorded(std::string_view line) const override;
  std::string rewrapped(std::string_view, std::string_view payload, Form) const override {
    return std::string(payload);
  }

  RestAnswer get(const RestQuestion& question) override { return rest_.get(question); }

 private:
  OkxRest rest_;
};

/// {"id":"1","op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]}
WireRequest OkxWire::read(std::string_view message) const {
  WireRequest request;
  if (message == "ping") {
    request.kind = WireRequest::Kind::ping;
    return request;
  }
  request.refusal =
      error_text({}, "60012", "Invalid request: " + std::string(message.substr(0, kLongestQuoted)));
  simdjson::dom::parser parser;
  simdjson::dom::object document;
  simdjson::dom::array args;
  const simdjson::padded_string padded(message);
  std::string_view operation, id;
  if (parser.parse(padded).get(document) != SUCCESS || document["op"].get(operation) != SUCCESS ||
      document["args"].get(args) != SUCCESS || args.size() == 0)
    return request;
  if (document["id"].get(id) == SUCCESS && id.size() <= kLongestId) request.id = id;
  for (const simdjson::dom::element arg : args) {
    std::string_view channel, instrument;
    if (arg["channel"].get(channel) != SUCCESS || arg["instId"].get(instrument) != SUCCESS) return request;
    request.streams.push_back(std::string(channel).append(":").append(instrument));
  }
  if (operation == "subscribe") request.kind = WireRequest::Kind::subscribe;
  if (operation == "unsubscribe") request.kind = WireRequest::Kind::unsubscribe;
  return request;
}

std::optional<WireRecorded> OkxWire::read_recorded(std::string_view line) const {
  struct Sink final : FrameSink {
    std::optional<feeds::Kline> kline;
    void on_kline(const feeds::Kline& seen) override { kline = seen; }
    void on_trade(const Trade&) override {}
  } sink;
  const simdjson::padded_string padded(line);
  simdjson::dom::parser parser;
  simdjson::dom::object frame, arg;
  std::string_view channel, instrument;
  if (parser.parse(padded).get(frame) != SUCCESS || frame["arg"].get(arg) != SUCCESS ||
      frame["data"].error() != SUCCESS || arg["channel"].get(channel) != SUCCESS ||
      arg["instId"].get(instrument) != SUCCESS)
    return std::nullopt;
  WireRecorded recorded;
  recorded.payload = line;
  recorded.stream = std::string(channel).append(":").append(instrument);
  recorded.symbol = instrument;
  new_okx_frame_parser()->parse({padded.data(), padded.size()}, sink);
  if (!sink.kline) return recorded;
  recorded.interval = engine::Interval::parse(sink.kline->interval);
  recorded.kline.bar = sink.kline->bar;
  recorded.closed = sink.kline->closed;
  return recorded;
}

}  // namespace

std::unique_ptr<Wire> new_okx_wire(std::int64_t weight_limit) {
  return std::make_unique<OkxWire>(weight_limit);
}

}  // namespace atcd::feeds::simulator
