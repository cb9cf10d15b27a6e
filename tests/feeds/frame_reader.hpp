#pragma once

#include <simdjson.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "feeds/exchange.hpp"

namespace atcd::feeds::testing {

/// The text of a file below tests/feeds/frames.
inline std::string frame_text(const std::string& name) {
  std::ifstream file(std::string(ATCD_SOURCE_DIR) + "/tests/feeds/frames/" + name, std::ios::binary);
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
};

/// Gives the parser the frame in a buffer of exactly the promised size, so that a sanitizer sees a byte too
/// far.
inline Parsed parse_frame(FrameParser& parser, std::string_view frame) {
  struct Sink final : KlineSink {
    std::vector<Parsed::Row> rows;
    void on_kline(const Kline& kline) override {
      rows.push_back({std::string(kline.symbol), std::string(kline.interval), kline.bar, kline.event_time_ms,
                      kline.closed});
    }
  } sink;
  const simdjson::padded_string padded(frame);
  const FrameResult result = parser.parse(std::string_view(padded.data(), frame.size()), sink);
  return {result.kind, result.request_id, std::string(result.text), std::move(sink.rows)};
}

}  // namespace atcd::feeds::testing
