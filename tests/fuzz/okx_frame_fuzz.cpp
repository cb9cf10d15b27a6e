// Whatever bytes come as an OKX frame: no crash, and bars and trades that are told are valid ones.
// Seeds: tests/feeds/frames/okx.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "feeds/okx.hpp"
#include "tests/fuzz/frame_sink.hpp"

using namespace atcd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto parser = feeds::new_okx_frame_parser();
  const simdjson::padded_string frame(reinterpret_cast<const char*>(data), size);
  fuzz::FrameSink sink;
  const feeds::FrameResult result = parser->parse(std::string_view(frame.data(), size), sink);
  if ((sink.klines > 0) != (result.kind == feeds::FrameKind::klines)) std::abort();
  if ((sink.trades > 0) != (result.kind == feeds::FrameKind::trades)) std::abort();
  if (sink.trades > 0 && sink.last_trade.first_id < 1) std::abort();
  const bool explained =
      result.kind == feeds::FrameKind::malformed || result.kind == feeds::FrameKind::refusal;
  if (explained && result.text.empty()) std::abort();
  if (result.kind == feeds::FrameKind::ack && result.stream.symbol.empty() && result.request_id == 0)
    std::abort();
  return 0;
}
