#pragma once

#include <simdjson.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "feeds/exchange.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds::testing {

/// The text of a file below tests/feeds/frames.
inline std::string frame_text(const std::string& name) {
  // Appended to: a sum is warned of by GCC 12, where the directory's name has some lengths.
  std::string path(ATCD_SOURCE_DIR);
  path.append("/tests/feeds/frames/").append(name);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read tests/feeds/frames/" + name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// What a parser made of one frame, with the views turned into texts.
struct Parsed {
  struct Row {
    std::string symbol, interval;
    engine::Bar bar;
    std::int64_t event_time_ms;
    bool closed;
  };
  FrameKind kind = FrameKind::ignored;
  std::int64_t request_id = 0;
  std::string text;
  std::vector<Row> klines;
  struct TradeRow {
    std::string symbol;
    double price, quantity;
    std::int64_t time_ms, first_id, last_id, event_time_ms;
    std::uint64_t identity;
    bool off_book;
  };
  std::vector<TradeRow> trades;
  std::string answered_symbol, answered_interval;  // FrameResult::stream
  bool carried = false;
};

/// Gives the parser the frame in a buffer of exactly the promised size, so that a sanitizer sees a byte too
/// far.
inline Parsed parse_frame(FrameParser& parser, std::string_view frame) {
  struct Sink final : FrameSink {
    std::vector<Parsed::Row> rows;
    void on_kline(const Kline& kline) override {
      rows.push_back({std::string(kline.symbol), std::string(kline.interval), kline.bar, kline.event_time_ms,
                      kline.closed});
    }
    std::vector<Parsed::TradeRow> trades;
    void on_trade(const Trade& trade) override {
      trades.push_back({std::string(trade.symbol), trade.price, trade.quantity, trade.time_ms, trade.first_id,
                        trade.last_id, trade.event_time_ms, trade.identity, trade.off_book});
    }
  } sink;
  const simdjson::padded_string padded(frame);
  const FrameResult result = parser.parse(std::string_view(padded.data(), frame.size()), sink);
  return {result.kind,
          result.request_id,
          std::string(result.text),
          std::move(sink.rows),
          std::move(sink.trades),
          std::string(result.stream.symbol),
          std::string(result.stream.interval),
          result.carried};
}

}  // namespace atcd::feeds::testing
