#include "feeds/simulator/binance_recorded.hpp"

#include <simdjson.h>

#include "feeds/decimal.hpp"

namespace atcd::feeds::simulator {
namespace {

using simdjson::SUCCESS;
namespace dom = simdjson::dom;

bool read_quoted(const dom::object& from, std::string_view key, double& value) {
  std::string_view text;
  return from[key].get(text) == SUCCESS && !text.empty() && read_decimal(text, value) == text.size();
}

/// The "k" of a kline event. False where it is not what Binance documents.
bool read_kline(const dom::object& k, WireRecorded& recorded) {
  engine::Bar& bar = recorded.kline.bar;
  std::int64_t last_ms = 0;
  std::string_view interval;
  const bool read =
      k["t"].get(bar.open_time_ms) == SUCCESS && k["T"].get(last_ms) == SUCCESS &&
      k["i"].get(interval) == SUCCESS && k["x"].get(recorded.closed) == SUCCESS &&
      k["n"].get(recorded.kline.trades) == SUCCESS && k["f"].get(recorded.kline.first_trade) == SUCCESS &&
      read_quoted(k, "o", bar.open) && read_quoted(k, "h", bar.high) && read_quoted(k, "l", bar.low) &&
      read_quoted(k, "c", bar.close) && read_quoted(k, "v", bar.volume) &&
      read_quoted(k, "q", recorded.kline.quote_volume) && read_quoted(k, "V", recorded.kline.taker_volume) &&
      read_quoted(k, "Q", recorded.kline.taker_quote_volume);
  if (!read || last_ms >= 253'402'300'800'000) return false;
  bar.close_time_ms = last_ms + 1;
  recorded.interval = engine::Interval::parse(interval);
  return recorded.interval.has_value() && engine::is_valid(bar);
}

std::string stream_name(std::string_view symbol, std::string_view rest) {
  std::string name;
  for (const char c : symbol) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name.append("@").append(rest);
}

/// The object under "data", as it stands in the line. Empty where there is none.
std::string_view wrapped_payload(const simdjson::padded_string& line) {
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  simdjson::ondemand::object data;
  std::string_view payload;
  if (parser.iterate(line).get(document) != SUCCESS || document["data"].get(data) != SUCCESS ||
      data.raw_json().get(payload) != SUCCESS)
    return {};
  return payload;
}

}  // namespace

std::optional<WireRecorded> read_binance_recorded(std::string_view line) {
  const simdjson::padded_string padded(line);
  dom::parser parser;
  dom::object event;
  if (parser.parse(padded).get(event) != SUCCESS) return std::nullopt;
  WireRecorded recorded;
  recorded.payload = line;
  dom::object data;
  std::string_view stream, symbol, type;
  const bool wrapped = event["stream"].get(stream) == SUCCESS && event["data"].get(data) == SUCCESS;
  if (wrapped) {
    const std::string_view payload = wrapped_payload(padded);
    if (payload.empty()) return std::nullopt;
    recorded.payload = line.substr(static_cast<std::size_t>(payload.data() - padded.data()), payload.size());
    recorded.stream = stream;
    event = data;
  }
  if (event["E"].get(recorded.event_ms) != SUCCESS) recorded.event_ms = 0;
  if (event["s"].get(symbol) == SUCCESS) recorded.symbol = symbol;
  if (event["e"].get(type) != SUCCESS) type = {};
  dom::object k;
  if (type == "kline" && event["k"].get(k) == SUCCESS) {
    if (!read_kline(k, recorded)) recorded.interval.reset();
    if (!wrapped && recorded.interval)
      recorded.stream = stream_name(symbol, "kline_" + recorded.interval->text());
  } else if (!wrapped && !symbol.empty() && (type == "trade" || type == "aggTrade")) {
    recorded.stream = stream_name(symbol, type);
  }
  if (recorded.stream.empty()) return std::nullopt;
  return recorded;
}

}  // namespace atcd::feeds::simulator
