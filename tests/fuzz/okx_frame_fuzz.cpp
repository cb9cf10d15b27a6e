// Whatever bytes come as an OKX frame: no crash, and bars and trades that are told are valid ones.
// Seeds: tests/feeds/frames/okx.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/interval.hpp"
#include "feeds/okx.hpp"

namespace {

using namespace atcd;

struct Sink final : feeds::FrameSink {
  std::size_t klines = 0, trades = 0;
  void on_trade(const feeds::Trade& trade) override {
    ++trades;
    if (trade.symbol.empty() || !(trade.price > 0) || !(trade.quantity > 0) || trade.time_ms < 0)
      std::abort();
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
  static const auto parser = feeds::new_okx_frame_parser();
  const simdjson::padded_string frame(reinterpret_cast<const char*>(data), size);
  Sink sink;
  const feeds::FrameResult result = parser->parse(std::string_view(frame.data(), size), sink);
  if ((sink.klines > 0) != (result.kind == feeds::FrameKind::klines)) std::abort();
  if ((sink.trades > 0) != (result.kind == feeds::FrameKind::trades)) std::abort();
  const bool explained =
      result.kind == feeds::FrameKind::malformed || result.kind == feeds::FrameKind::refusal;
  if (explained && result.text.empty()) std::abort();
  if (result.kind == feeds::FrameKind::ack && result.stream.symbol.empty() && result.request_id == 0)
    std::abort();
  return 0;
}
