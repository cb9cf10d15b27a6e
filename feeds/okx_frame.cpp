#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "feeds/json_fields.hpp"
#include "feeds/okx.hpp"

// A frame of candles (tests/feeds/frames/okx/2026-11-27-candle-closed.json). A row has open time, open, high,
// low, close, volume, volume in currency, in quote, and "1" when it is closed; the rows of 2022 ended before
// the last two. https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-candlesticks-channel
//
//   {"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1795748400000","91238.4","91252.7","91230.1",
//   "91240","12.83455","1171036.729116","1171036.729116","1"]]}
//
// One of trades; https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-trades-channel
//
//   {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"905577312",
//   "px":"91240.1","sz":"0.0214","side":"buy","ts":"1795748412345","count":"3","source":"0","seqId":88120}]}

namespace atcd::feeds {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t kLargestFrame = 4U << 20;
constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
constexpr std::size_t kLongestQuotedMessage = 200;
constexpr std::size_t kColumnsBeforeConfirm = 8, kFewestColumns = 7;

struct Row {
  engine::Bar bar;
  bool closed = false;
};

/// One frame while it is read. The readers return null, or why the frame is refused.
struct Frame {
  std::string_view channel, symbol;
  bool has_arg = false, has_data = false;
  const char* end = nullptr;
};

/// The text behind an opening quote, up to whatever follows.
bool raw_text(ondemand::value value, const Frame& frame, std::string_view& text) {
  ondemand::raw_json_string raw;
  if (value.get_raw_json_string().get(raw) != simdjson::SUCCESS) return false;
  text = {raw.raw(), static_cast<std::size_t>(frame.end - raw.raw())};
  return true;
}

/// Milliseconds in quotes, of our calendar.
bool read_time(ondemand::value value, const Frame& frame, std::int64_t& time_ms) {
  std::string_view text;
  if (!raw_text(value, frame, text)) return false;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, time_ms);
  return error == std::errc() && end != last && *end == '"' && time_ms >= 0 && time_ms < kYear10000Ms;
}

const char* read_cell(std::size_t column, ondemand::value value, const Frame& frame, Row& row) {
  engine::Bar& bar = row.bar;
  switch (column) {
    case 0:
      return read_time(value, frame, bar.open_time_ms) ? nullptr : "ts is not a time in quotes";
    case 1:
      return read_quoted(value, frame.end, bar.open) ? nullptr : "o is not a price in quotes";
    case 2:
      return read_quoted(value, frame.end, bar.high) ? nullptr : "h is not a price in quotes";
    case 3:
      return read_quoted(value, frame.end, bar.low) ? nullptr : "l is not a price in quotes";
    case 4:
      return read_quoted(value, frame.end, bar.close) ? nullptr : "c is not a price in quotes";
    case 5:
      return read_quoted(value, frame.end, bar.volume) ? nullptr : "vol is not a volume in quotes";
    case kColumnsBeforeConfirm: {
      std::string_view text;
      if (!raw_text(value, frame, text)) return "confirm is neither \"0\" nor \"1\"";
      row.closed = text.starts_with("1\"");
      return row.closed || text.starts_with("0\"") ? nullptr : "confirm is neither \"0\" nor \"1\"";
    }
    default:
      return nullptr;  // volumes in other units, what may come to be
  }
}

const char* read_row(ondemand::array cells, const Frame& frame, Row& row) {
  std::size_t column = 0;
  for (auto cell : cells) {
    if (cell.error() != simdjson::SUCCESS) return kNotJson;
    if (const char* reason = read_cell(column, cell.value_unsafe(), frame, row)) return reason;
    ++column;
  }
  return column < kFewestColumns ? "a candle has less than 7 columns" : nullptr;
}

/// A whole number above 0 in quotes.
bool read_count(ondemand::value value, const Frame& frame, std::int64_t& count) {
  std::string_view text;
  if (!raw_text(value, frame, text)) return false;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, count);
  return error == std::errc() && end != last && *end == '"' && count > 0;
}

/// Whether the raw key, padding included, is `name` with its closing quote.
template <std::size_t kSize>
bool is_key(const char* key, const char (&name)[kSize]) {
  return std::memcmp(key, name, kSize - 1) == 0;
}

const char* read_trade(ondemand::object& object, const Frame& frame, Trade& trade) {
  bool symbol = false, price = false, quantity = false, time = false;
  std::int64_t count = 0;
  const char* reason = for_each_field(object, [&](const char* key, ondemand::value value) -> const char* {
    if (is_key(key, "instId\"")) {
      if (std::exchange(symbol, true)) return "instId is there twice";
      return value.get(trade.symbol) == simdjson::SUCCESS ? nullptr : "instId is not a string";
    }
    if (is_key(key, "px\"")) {
      if (std::exchange(price, true)) return "px is there twice";
      const bool read = read_quoted(value, frame.end, trade.price) && trade.price > 0;
      return read ? nullptr : "px is not a price above 0 in quotes";
    }
    if (is_key(key, "sz\"")) {
      if (std::exchange(quantity, true)) return "sz is there twice";
      const bool read = read_quoted(value, frame.end, trade.quantity) && trade.quantity > 0;
      return read ? nullptr : "sz is not a quantity above 0 in quotes";
    }
    if (is_key(key, "ts\"")) {
      if (std::exchange(time, true)) return "ts is there twice";
      return read_time(value, frame, trade.time_ms) ? nullptr : "ts is not a time in quotes";
    }
    if (is_key(key, "tradeId\"")) {
      if (trade.last_id != 0) return "tradeId is there twice";
      return read_count(value, frame, trade.last_id) ? nullptr : "tradeId is not a number above 0 in quotes";
    }
    if (is_key(key, "count\"")) {
      if (count != 0) return "count is there twice";
      return read_count(value, frame, count) ? nullptr : "count is not a number above 0 in quotes";
    }
    return nullptr;  // the taker's side
  });
  if (reason != nullptr) return reason;
  if (!price) return "px is missing";
  if (!quantity) return "sz is missing";
  if (trade.last_id == 0) return "tradeId is missing";
  // tradeId is the last of `count` in a row; before 2023 each trade came alone, without one.
  trade.first_id = trade.last_id - std::max<std::int64_t>(count, 1) + 1;
  if (trade.first_id < 1) return "count is more than tradeId allows";
  return time ? nullptr : "ts is missing";
}

/// What stands behind `label`, up to a comma, a blank or the end: "candle1m" of
/// "channel:candle1m,instId:...".
std::string_view named(std::string_view message, std::string_view label) {
  const auto at = message.find(label);
  if (at == std::string_view::npos) return {};
  message.remove_prefix(at + label.size());
  return message.substr(0, message.find_first_of(", \""));
}

class OkxFrameParser final : public FrameParser {
 public:
  FrameResult parse(std::string_view frame, FrameSink& sink) override {
    if (frame.size() > kLargestFrame) return {FrameKind::malformed, 0, "longer than 4 MiB"};
    if (frame == "pong") return {FrameKind::pong, 0, {}};
    const char* reason = read(frame);
    if (reason != nullptr) return classify(frame, reason);
    for (const Row& row : rows_) sink.on_kline({frame_.symbol, channel_->ours, row.bar, 0, row.closed});
    for (const Trade& trade : trades_) sink.on_trade(trade);
    return {trades_.empty() ? FrameKind::klines : FrameKind::trades, 0, {}};
  }

 private:
  const char* read(std::string_view frame) {
    frame_ = {};
    rows_.clear();
    trades_.clear();
    frame_.end = frame.data() + frame.size();
    ondemand::document document;
    ondemand::object root;
    const std::size_t readable = frame.size() + simdjson::SIMDJSON_PADDING;
    if (data_.iterate(frame.data(), frame.size(), readable).get(document) != simdjson::SUCCESS ||
        document.get_object().get(root) != simdjson::SUCCESS)
      return kNotJson;
    const char* reason = for_each_field(root, [&](const char* key, ondemand::value value) -> const char* {
      if (is_key(key, "arg\"")) return read_arg(value);
      return is_key(key, "data\"") ? read_data(value) : nullptr;
    });
    if (reason != nullptr) return reason;
    const char* rest = nullptr;
    if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) return kNotJson;
    return check();
  }

  const char* read_arg(ondemand::value value) {
    if (std::exchange(frame_.has_arg, true)) return "arg is there twice";
    ondemand::object arg;
    if (value.get(arg) != simdjson::SUCCESS) return "arg is not an object";
    bool channel = false, symbol = false;
    return for_each_field(arg, [&](const char* key, ondemand::value field) -> const char* {
      if (is_key(key, "channel\"")) {
        if (std::exchange(channel, true)) return "channel is there twice";
        return field.get(frame_.channel) == simdjson::SUCCESS ? nullptr : "channel is not a string";
      }
      if (is_key(key, "instId\"")) {
        if (std::exchange(symbol, true)) return "instId is there twice";
        return field.get(frame_.symbol) == simdjson::SUCCESS ? nullptr : "instId is not a string";
      }
      return nullptr;
    });
  }

  /// Candles or trades by their form: which of them they should be is known once `arg` was read, wherever it
  /// stands.
  const char* read_data(ondemand::value value) {
    if (std::exchange(frame_.has_data, true)) return "data is there twice";
    ondemand::array list;
    if (value.get(list) != simdjson::SUCCESS) return "data is not an array";
    for (auto result : list) {
      ondemand::array cells;
      ondemand::object object;
      if (result.error() != simdjson::SUCCESS) return kNotJson;
      ondemand::value& element = result.value_unsafe();
      const char* reason = "data has something that is neither a candle nor a trade";
      if (element.get(cells) == simdjson::SUCCESS) {
        reason = read_row(cells, frame_, rows_.emplace_back());
      } else if (element.get(object) == simdjson::SUCCESS) {
        reason = read_trade(object, frame_, trades_.emplace_back());
      }
      if (reason != nullptr) return reason;
    }
    return nullptr;
  }

  const char* check() {
    if (!frame_.has_arg) return "arg is missing";
    if (!frame_.has_data) return "data is missing";
    if (frame_.symbol.empty()) return "instId is missing or empty";
    if (frame_.channel == kOkxTrades) {
      if (trades_.empty() || !rows_.empty()) return "data is not a list of trades";
      for (const Trade& trade : trades_) {
        if (trade.symbol != frame_.symbol) return "instId of a trade is not that of arg";
      }
      return nullptr;
    }
    if (frame_.channel != last_channel_) {
      channel_ = okx_candle_channel(frame_.channel);
      last_channel_ = frame_.channel;
    }
    if (channel_ == nullptr) return "another channel";
    if (rows_.empty() || !trades_.empty()) return "data is not a list of candles";
    for (Row& row : rows_) {
      row.bar.close_time_ms = channel_->interval.close_time_ms(row.bar.open_time_ms);
      if (!channel_->interval.is_boundary(row.bar.open_time_ms))
        return "ts is not a boundary of the interval";
      if (!engine::is_valid(row.bar)) return "not 0 < low <= open, close <= high with a volume >= 0";
    }
    return nullptr;
  }

  /// Whatever is not candles or trades in good order is read again by the parser that checks everything.
  /// `reason`: why it is none.
  FrameResult classify(std::string_view frame, const char* reason) {
    simdjson::dom::element root;
    if (const auto error = others_.parse(frame.data(), frame.size(), false).get(root);
        error != simdjson::SUCCESS)
      return {FrameKind::malformed, 0, simdjson::error_message(error)};
    simdjson::dom::object object, arg;
    if (root.get(object) != simdjson::SUCCESS) return {FrameKind::ignored, 0, {}};
    std::string_view event, channel;
    if (object["event"].get(event) == simdjson::SUCCESS) return classify_event(object, event);
    if (object["arg"].get(arg) != simdjson::SUCCESS || arg["channel"].get(channel) != simdjson::SUCCESS)
      return {FrameKind::ignored, 0, {}};
    const bool ours = channel == kOkxTrades || okx_candle_channel(channel) != nullptr;
    return ours ? FrameResult{FrameKind::malformed, 0, reason} : FrameResult{FrameKind::ignored, 0, {}};
  }

  /// {"id":"7","event":"subscribe","arg":{"channel":"candle1m","instId":"BTC-USDT"},"connId":"a4d3ae55"}
  /// {"event":"error","code":"60018","msg":"Wrong URL or channel:candle1m,instId:FOO-BAR doesn't exist. ..."}
  /// {"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. ..."}
  FrameResult classify_event(const simdjson::dom::object& object, std::string_view event) {
    std::string_view id, code, message;
    std::int64_t request_id = 0;
    if (object["id"].get(id) == simdjson::SUCCESS)
      std::from_chars(id.data(), id.data() + id.size(), request_id);
    if (event == "subscribe" || event == "unsubscribe") {
      simdjson::dom::object arg;
      std::string_view channel, symbol;
      if (object["arg"].get(arg) != simdjson::SUCCESS || arg["channel"].get(channel) != simdjson::SUCCESS ||
          arg["instId"].get(symbol) != simdjson::SUCCESS)
        return {FrameKind::malformed, 0, "an answer without channel and instId"};
      const StreamView stream = stream_of(channel, symbol);
      if (stream.symbol.empty()) return {FrameKind::ignored, 0, {}};
      return {FrameKind::ack, request_id, {}, stream};
    }
    if (event != "error" && event != "notice") return {FrameKind::ignored, 0, {}};
    if (object["code"].get(code) != simdjson::SUCCESS || object["msg"].get(message) != simdjson::SUCCESS)
      return {FrameKind::malformed, 0, "an event without code and msg as strings"};
    if (event == "notice") return {code == "64008" ? FrameKind::closing : FrameKind::ignored, 0, {}};
    text_ = "code ";
    text_ += code.substr(0, kLongestQuotedMessage);
    text_ += ": ";
    text_ += message.substr(0, kLongestQuotedMessage);
    return {FrameKind::refusal, request_id, text_,
            stream_of(named(message, "channel:"), named(message, "instId:"))};
  }

  /// Without a symbol where the channel is none of ours.
  static StreamView stream_of(std::string_view channel, std::string_view symbol) {
    if (channel == kOkxTrades) return {symbol, {}};
    const OkxInterval* interval = okx_candle_channel(channel);
    return interval == nullptr ? StreamView{} : StreamView{symbol, interval->ours};
  }

  ondemand::parser data_{kLargestFrame};
  simdjson::dom::parser others_{kLargestFrame};
  Frame frame_;
  std::vector<Row> rows_;
  std::vector<Trade> trades_;
  std::string last_channel_;  // of candles
  const OkxInterval* channel_ = nullptr;
  std::string text_;
};

}  // namespace

std::unique_ptr<FrameParser> new_okx_frame_parser() { return std::make_unique<OkxFrameParser>(); }

}  // namespace atcd::feeds
