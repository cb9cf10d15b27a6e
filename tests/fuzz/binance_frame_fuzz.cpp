// Whatever bytes come as a Binance frame: no crash, a bar or a trade that is told is a valid one, and the
// short way of reading a kline tells the same as the full one. Seeds: tests/feeds/frames/binance.
#include <simdjson.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/interval.hpp"
#include "feeds/binance.hpp"

namespace {

using namespace atcd;

struct Sink final : feeds::FrameSink {
  std::size_t klines = 0, trades = 0;
  feeds::Kline last;
  void on_trade(const feeds::Trade& trade) override {
    ++trades;
    const bool valid = !trade.symbol.empty() && trade.first_id > 0 && trade.last_id == trade.first_id &&
                       trade.price > 0 && trade.quantity > 0 && std::isfinite(trade.price) &&
                       std::isfinite(trade.quantity) && trade.time_ms >= 0;
    if (!valid) std::abort();
  }
  void on_kline(const feeds::Kline& kline) override {
    ++klines;
    last = kline;
    const auto interval = engine::Interval::parse(kline.interval);
    if (!interval || kline.symbol.empty() || !engine::is_valid(kline.bar) ||
        !interval->is_boundary(kline.bar.open_time_ms) ||
        interval->close_time_ms(kline.bar.open_time_ms) != kline.bar.close_time_ms)
      std::abort();
  }
};

bool same(const feeds::Kline& a, const feeds::Kline& b) {
  return a.symbol == b.symbol && a.interval == b.interval && a.bar == b.bar &&
         a.event_time_ms == b.event_time_ms && a.closed == b.closed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto parser = feeds::new_binance_frame_parser();
  static const auto full_parser = feeds::new_binance_full_frame_parser();
  const simdjson::padded_string padded(reinterpret_cast<const char*>(data), size);
  const std::string_view frame(padded.data(), size);
  Sink sink, full;
  const feeds::FrameResult result = parser->parse(frame, sink);
  if (sink.klines != (result.kind == feeds::FrameKind::klines ? 1U : 0U)) std::abort();
  if (sink.trades != (result.kind == feeds::FrameKind::trades ? 1U : 0U)) std::abort();
  if (result.kind == feeds::FrameKind::malformed && result.text.empty()) std::abort();
  const feeds::FrameResult full_result = full_parser->parse(frame, full);
  if (result.kind != full_result.kind || result.request_id != full_result.request_id ||
      result.text != full_result.text || sink.klines != full.klines || !same(sink.last, full.last))
    std::abort();
  return 0;
}
