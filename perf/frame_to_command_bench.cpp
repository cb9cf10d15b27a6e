// Claim: from a closing frame to the command for Redis, all that the processor does takes about two
// microseconds. Measured span: raw frame, parsed, through the prepared engine, formatted as one FCALL into a
// reused buffer; no I/O, no series ledger.
#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "feeds/binance.hpp"
#include "state/signal_text.hpp"

namespace {

using namespace atcd;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kFirstOpenMs = 1'795'477'200'000;
constexpr int kBars = 4096;

std::string price_text(double price) {
  char text[64];
  std::snprintf(text, sizeof text, "%.2f", price);
  return text;
}

/// A price that wanders, in the documented form of a closing kline frame.
std::vector<std::string> make_frames() {
  std::vector<std::string> frames;
  for (int i = 0; i < kBars; ++i) {
    const double open = 90'000 + 3000 * std::sin(i * 0.013) + 400 * std::sin(i * 0.37);
    const double close = 90'000 + 3000 * std::sin((i + 1) * 0.013) + 400 * std::sin((i + 1) * 0.37);
    const std::int64_t open_ms = kFirstOpenMs + i * kMinuteMs;
    frames.push_back(R"({"stream":"btcusdt@kline_1m","data":{"e":"kline","E":)" +
                     std::to_string(open_ms + 60'071) + R"(,"s":"BTCUSDT","k":{"t":)" +
                     std::to_string(open_ms) + R"(,"T":)" + std::to_string(open_ms + kMinuteMs - 1) +
                     R"(,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":")" + price_text(open) + R"(","c":")" +
                     price_text(close) + R"(","h":")" + price_text(std::max(open, close) + 1) + R"(","l":")" +
                     price_text(std::min(open, close) - 1) +
                     R"(","v":"12.83450000","n":826,"x":true,"q":"1.0","V":"6.4","Q":"5.8","B":"0"}}})");
    frames.back().reserve(frames.back().size() + simdjson::SIMDJSON_PADDING);
  }
  return frames;
}

/// One series from frame to command, as the daemon does it.
class Path final : public feeds::FrameSink {
 public:
  explicit Path(const std::shared_ptr<const engine::Plan>& plan)
      : engine_(plan),
        text_({{"binance", "spot", "BTCUSDT", "1m", "default"}, "1ff5ea08201c2af4", "lts", {}}, "main",
              "atc") {}

  void take(std::string_view frame) { parser_->parse(frame, *this); }
  /// Off the hot path: what can be done before the next price is known.
  void prepare() { engine_.prepare(); }
  std::string& command() { return command_; }

 private:
  void on_trade(const feeds::Trade&) override {}
  void on_kline(const feeds::Kline& kline) override {
    state::SignalRecord record;
    record.bar = kline.bar;
    record.signal = engine_.update(kline.bar);
    record.prev_close_ms = kline.bar.open_time_ms;
    record.next_close_ms = kline.bar.close_time_ms + kMinuteMs;
    record.anchor_ms = kFirstOpenMs;
    record.received_us = kline.bar.close_time_ms * 1000;
    formatter_.append_command(command_, text_, record, {500, 10'000}, record.received_us + 5);
  }

  std::unique_ptr<feeds::FrameParser> parser_ = feeds::new_binance_frame_parser();
  engine::Incremental engine_;
  state::SeriesText text_;
  state::SignalFormatter formatter_;
  std::string command_;
};

void frame_to_command(benchmark::State& state) {
  const auto plan = std::make_shared<const engine::Plan>(engine::Parameters{});
  const std::vector<std::string> frames = make_frames();
  // Prepared or not, a series says the same: all commands are compared, byte by byte, before anything is
  // timed.
  Path plain(plan), prepared(plan);
  for (const std::string& frame : frames) {
    plain.take(frame);
    prepared.prepare();
    prepared.take(frame);
  }
  if (plain.command() != prepared.command() || plain.command().find("FCALL") == std::string::npos) {
    state.SkipWithError("the commands differ");
    return;
  }
  auto path = std::make_unique<Path>(plan);
  std::size_t at = 0;
  for (auto _ : state) {
    if (at == frames.size()) {
      path = std::make_unique<Path>(plan);
      at = 0;
    }
    path->prepare();
    path->command().clear();
    const auto began = std::chrono::steady_clock::now();
    path->take(frames[at++]);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    benchmark::DoNotOptimize(path->command().data());
    state.SetIterationTime(took.count());
  }
}
// Reading the clock is part of the figure, some 25 ns.
BENCHMARK(frame_to_command)->UseManualTime();

}  // namespace
