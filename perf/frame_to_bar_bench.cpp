// Claim: a Binance kline frame becomes a checked Bar in at most 150 ns.
// Measured span: raw frame to Kline in the sink, no I/O; 64 different frames of 16 symbols round robin, whose
// names and prices have different lengths, so that neither the branch predictor nor a cache of one text
// flatters the result. The bars are compared with the texts first. "full": the reading that takes any order
// of fields, alone, in the same run; it is what the short way is held to.
#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <charconv>
#include <cmath>
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

/// With eight digits behind the point, as Binance writes it.
std::string price_text(long units, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.8f", static_cast<double>(units) * std::pow(10, -decimals));
  return text;
}

struct Symbol {
  const char *upper, *lower;
  long low;
  int decimals;
};
constexpr Symbol kSymbols[] = {{"BTCUSDT", "btcusdt", 9'000'000, 2},
                               {"ETHUSDT", "ethusdt", 299'010, 2},
                               {"SOLUSDT", "solusdt", 18'345, 2},
                               {"DOGEUSDT", "dogeusdt", 38'612, 5},
                               {"1000SATSUSDT", "1000satsusdt", 21, 7},
                               {"XRPUSDT", "xrpusdt", 14'312, 4},
                               {"BNBBTC", "bnbbtc", 6'912, 6},
                               {"AVAXUSDT", "avaxusdt", 4'412, 2},
                               {"LINKUSDT", "linkusdt", 1'812, 2},
                               {"WBTCBTC", "wbtcbtc", 9'998, 4},
                               {"ETHUSDC", "ethusdc", 298'955, 2},
                               {"PEPEUSDT", "pepeusdt", 2'113, 8},
                               {"TRXTRY", "trxtry", 699, 2},
                               {"BTCTRY", "btctry", 310'011'200, 2},
                               {"ARKMUSDT", "arkmusdt", 21'980, 4},
                               {"QNTUSDT", "qntusdt", 10'870, 2}};

/// Frames of 1m bars in the documented form, of 310 to 340 bytes.
std::vector<Expected> make_frames() {
  std::vector<Expected> frames;
  for (long i = 0; i < 64; ++i) {
    const Symbol& symbol = kSymbols[i % 16];
    const auto price = [&](long units) { return price_text(units, symbol.decimals); };
    const std::int64_t open_ms = 1795477200000 + i * 60'000;
    const long low = symbol.low + i, open = low + 3 + i % 5, close = low + 2 + i % 7, high = low + 11 + i % 3;
    const std::string volume = std::to_string(i * i * i) + ".8345" + std::to_string(1000 + i * 31);
    const std::string t = std::to_string(open_ms), last = std::to_string(open_ms + 59'999);
    const std::string frame =
        std::string(R"({"stream":")") + symbol.lower + R"(@kline_1m","data":{"e":"kline","E":)" +
        std::to_string(open_ms + 60'071) + R"(,"s":")" + symbol.upper + R"(","k":{"t":)" + t + R"(,"T":)" +
        last + R"(,"s":")" + symbol.upper + R"(","i":"1m","f":)" + std::to_string(5512340017 >> i % 5) +
        R"(,"L":)" + std::to_string(5512340842 >> i % 5) + R"(,"o":")" + price(open) + R"(","c":")" +
        price(close) + R"(","h":")" + price(high) + R"(","l":")" + price(low) + R"(","v":")" + volume +
        R"(","n":)" + std::to_string(1 + i * 13) + R"(,"x":)" + (i % 3 == 0 ? "true" : "false") +
        R"(,"q":")" + std::to_string(1171036 >> i % 7) + R"(.72911600","V":"6.40218000","Q":")" +
        std::to_string(584140 >> i % 6) + R"(.00817300","B":"0"}}})";
    const auto number = [](const std::string& text) { return std::strtod(text.c_str(), nullptr); };
    frames.push_back({frame,
                      {open_ms, open_ms + 60'000, number(price(open)), number(price(high)),
                       number(price(low)), number(price(close)), number(volume)}});
    frames.back().frame.reserve(frame.size() + simdjson::SIMDJSON_PADDING);
  }
  return frames;
}

struct Sink final : feeds::FrameSink {
  feeds::Kline last;
  void on_trade(const feeds::Trade&) override {}
  void on_kline(const feeds::Kline& kline) override { last = kline; }
};

void read_frames(benchmark::State& state, feeds::FrameParser& parser) {
  const std::vector<Expected> frames = make_frames();
  Sink sink;
  for (const Expected& each : frames) {
    if (parser.parse(each.frame, sink).kind != feeds::FrameKind::klines || !(sink.last.bar == each.bar)) {
      state.SkipWithError("a frame did not become its bar");
      return;
    }
  }
  std::size_t at = 0;
  std::int64_t bytes = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser.parse(frames[at].frame, sink));
    benchmark::DoNotOptimize(sink.last.bar);
    bytes += static_cast<std::int64_t>(frames[at].frame.size());
    at = (at + 1) % frames.size();
  }
  state.SetBytesProcessed(bytes);
}

void frame_to_bar(benchmark::State& state) { read_frames(state, *feeds::new_binance_frame_parser()); }
BENCHMARK(frame_to_bar);

void frame_to_bar_full(benchmark::State& state) {
  read_frames(state, *feeds::new_binance_full_frame_parser());
}
BENCHMARK(frame_to_bar_full);

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
