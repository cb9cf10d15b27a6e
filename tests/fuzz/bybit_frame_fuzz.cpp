// Whatever bytes come as a Bybit frame: no crash, and bars and trades that are told are valid ones.
// Seeds: tests/feeds/frames/bybit.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "feeds/bybit.hpp"
#include "tests/fuzz/frame_sink.hpp"

using namespace atcd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto parser = feeds::new_bybit_frame_parser();
  const simdjson::padded_string frame(reinterpret_cast<const char*>(data), size);
  fuzz::FrameSink sink;
  const feeds::FrameResult result = parser->parse(std::string_view(frame.data(), size), sink);
  if ((sink.klines > 0) != (result.kind == feeds::FrameKind::klines)) std::abort();
  if ((sink.trades > 0) != (result.kind == feeds::FrameKind::trades)) std::abort();
  if (sink.trades > 0 && (sink.last_trade.identity == 0 || sink.last_trade.first_id != 0)) std::abort();
  if (result.kind == feeds::FrameKind::malformed && result.text.empty()) std::abort();
  if (result.request_id < 0) std::abort();
  return 0;
}
