// Whatever bytes come as a Binance frame: no crash, and a bar or a trade that is told is a valid one.
// Seeds: tests/feeds/frames/binance.
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
  void on_trade(const feeds::Trade& trade) override {
    ++trades;
    const bool valid = !trade.symbol.empty() && trade.first_id > 0 && trade.last_id == trade.first_id &&
                       trade.price > 0 && trade.quantity > 0 && std::isfinite(trade.price) &&
                       std::isfinite(trade.quantity) && trade.time_ms >= 0;
    if (!valid) std::abort();
  }
  void on_kline(const feeds::Kline& kline) override {
    ++klines;
    const auto interval = engine::Interval::parse(kline.interval);
    if (!interval || kline.symbol.empty() || !engine::is_valid(kline.bar) ||
        !interval->is_boundary(kline.bar.open_time_ms) ||
        interval->close_time_ms(kline.bar.open_time_ms) != kline.bar.close_time_ms)
      std::abort();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto parser = feeds::new_binance_frame_parser();
  const simdjson::padded_string frame(reinterpret_cast<const char*>(data), size);
  Sink sink;
  const feeds::FrameResult result = parser->parse(std::string_view(frame.data(), size), sink);
  if (sink.klines != (result.kind == feeds::FrameKind::klines ? 1U : 0U)) std::abort();
  if (sink.trades != (result.kind == feeds::FrameKind::trades ? 1U : 0U)) std::abort();
  if (result.kind == feeds::FrameKind::malformed && result.text.empty()) std::abort();
  return 0;
}
