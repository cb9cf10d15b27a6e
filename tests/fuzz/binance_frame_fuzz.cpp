// Whatever bytes come as a Binance frame: no crash, a bar or a trade that is told is a valid one, and the
// short way of reading a kline tells the same as the full one.
// Seeds: tests/feeds/frames/binance.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "feeds/binance.hpp"
#include "tests/fuzz/frame_sink.hpp"

namespace {

using namespace atcd;

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
  fuzz::FrameSink sink, full;
  const feeds::FrameResult result = parser->parse(frame, sink);
  if (sink.klines != (result.kind == feeds::FrameKind::klines ? 1U : 0U)) std::abort();
  if (sink.trades != (result.kind == feeds::FrameKind::trades ? 1U : 0U)) std::abort();
  // Numbers are what proves that no trade is missing.
  const feeds::Trade& trade = sink.last_trade;
  if (sink.trades > 0 && (trade.first_id <= 0 || trade.last_id != trade.first_id)) std::abort();
  if (result.kind == feeds::FrameKind::malformed && result.text.empty()) std::abort();
  const feeds::FrameResult full_result = full_parser->parse(frame, full);
  if (result.kind != full_result.kind || result.request_id != full_result.request_id ||
      result.text != full_result.text || sink.klines != full.klines || !same(sink.last, full.last))
    std::abort();
  return 0;
}
