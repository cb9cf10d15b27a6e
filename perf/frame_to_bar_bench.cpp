// Claim: a Binance kline frame becomes a checked Bar in well under a microsecond.
// Measured span: raw frame to Kline in the sink, no I/O; 64 different frames round robin, so that neither the
// branch predictor nor a cache of one text flatters the result. The bars are compared with the texts first.
#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "feeds/binance.hpp"
#include "feeds/decimal.hpp"

namespace {

using namespace atcd;

struct Expected {
  std::string frame;
  engine::Bar bar;
};

std::string price_text(long cents) {
  char text[64];
  std::snprintf(text, sizeof text, "%ld.%02ld000000", cents / 100, cents % 100);
  return text;
}

/// Frames of 1m bars in the documented form, of about 330 bytes.
std::vector<Expected> make_frames() {
  std::vector<Expected> frames;
  for (long i = 0; i < 64; ++i) {
    const std::int64_t open_ms = 1795477200000 + i * 60'000;
    const long low = 9'000'000 + i * 1237, open = low + 311 + i, close = low + 17 * i, high = low + 5001 + i;
    const std::string volume = "12.8345" + std::to_string(1000 + i * 31);
    const std::string t = std::to_string(open_ms), last = std::to_string(open_ms + 59'999);
    const std::string frame =
        R"({"stream":"btcusdt@kline_1m","data":{"e":"kline","E":)" + std::to_string(open_ms + 60'071) +
        R"(,"s":"BTCUSDT","k":{"t":)" + t + R"(,"T":)" + last +
        R"(,"s":"BTCUSDT","i":"1m","f":5512340017,"L":5512340842,"o":")" + price_text(open) + R"(","c":")" +
        price_text(close) + R"(","h":")" + price_text(high) + R"(","l":")" + price_text(low) + R"(","v":")" +
        volume +
        R"(","n":826,"x":true,"q":"1171036.72911600","V":"6.40218000","Q":"584140.00817300","B":"0"}}})";
    const auto number = [](const std::string& text) { return std::strtod(text.c_str(), nullptr); };
    frames.push_back({frame,
                      {open_ms, open_ms + 60'000, number(price_text(open)), number(price_text(high)),
                       number(price_text(low)), number(price_text(close)), number(volume)}});
    frames.back().frame.reserve(frame.size() + simdjson::SIMDJSON_PADDING);
  }
  return frames;
}

struct Sink final : feeds::FrameSink {
  feeds::Kline last;
  void on_trade(const feeds::Trade&) override {}
  void on_kline(const feeds::Kline& kline) override { last = kline; }
};

void frame_to_bar(benchmark::State& state) {
  const std::vector<Expected> frames = make_frames();
  const auto parser = feeds::new_binance_frame_parser();
  Sink sink;
  for (const Expected& each : frames) {
    if (parser->parse(each.frame, sink).kind != feeds::FrameKind::klines || !(sink.last.bar == each.bar)) {
      state.SkipWithError("a frame did not become its bar");
      return;
    }
  }
  std::size_t at = 0;
  std::int64_t bytes = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser->parse(frames[at].frame, sink));
    benchmark::DoNotOptimize(sink.last.bar);
    bytes += static_cast<std::int64_t>(frames[at].frame.size());
    at = (at + 1) % frames.size();
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(frame_to_bar);

// The part of it that turns the text of a price into a double, and what the library takes for the same. As in
// a frame, more text follows.
constexpr std::string_view kPrices[] = {
    "91238.41000000\",\"c\":\"91240", "0.00001234\",\"c\":\"0.00001235",
    "2990.10\",\"c\":\"2990.10\",\"h\":", "12.83455000\",\"n\":826,\"x\":true"};

template <class Read>
void price_text(benchmark::State& state, Read read) {
  std::size_t at = 0;
  double value = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(read(kPrices[at], value));
    benchmark::DoNotOptimize(value);
    at = (at + 1) % std::size(kPrices);
  }
}

void price_text_to_double(benchmark::State& state) {
  price_text(state, [](std::string_view text, double& value) { return feeds::read_decimal(text, value); });
}
BENCHMARK(price_text_to_double);

void price_text_to_double_from_chars(benchmark::State& state) {
  price_text(state, [](std::string_view text, double& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  });
}
BENCHMARK(price_text_to_double_from_chars);

}  // namespace
