#pragma once

#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "feeds/binance.hpp"
#include "feeds/series.hpp"
#include "feeds/stream_names.hpp"
#include "perf/quiet_series.hpp"
#include "state/signal_text.hpp"

/// One series' way from frame to command, and frames to take it: what the benchmark times and the check
/// counts the instructions of.
namespace atcd::perf {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kFirstOpenMs = 1'795'477'200'000;
constexpr int kBars = 4096;

inline std::string price_text(double price) {
  char text[64];
  std::snprintf(text, sizeof text, "%.2f", price);
  return text;
}

/// A price that wanders, in the documented form of a closing kline frame.
inline std::vector<std::string> make_frames(int count = kBars) {
  std::vector<std::string> frames;
  for (int i = 0; i < count; ++i) {
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
class Path final : public feeds::FrameSink, public QuietSeries {
 public:
  explicit Path(const std::shared_ptr<const engine::Plan>& plan,
                const engine::Kernel& kernel = engine::best_kernel())
      : series_(rules(), kFirstOpenMs - kMinuteMs, *this),
        engine_(plan, kernel),
        text_({{"binance", "spot", "BTCUSDT", "1m", "default"}, "1ff5ea08201c2af4", "lts", {}}, "main",
              "atc") {
    names_.add({"BTCUSDT", "1m"}, 0);
    series_.on_stream_up({0, kFirstOpenMs});
    feeds::HistoryResult history;
    history.rows = {{kFirstOpenMs - kMinuteMs, kFirstOpenMs, 1, 1, 1, 1, 1},
                    {kFirstOpenMs, kFirstOpenMs + kMinuteMs, 1, 1, 1, 1, 1}};
    history.server_time_ms = kFirstOpenMs + 1;
    series_.on_history(history, 0, {0, kFirstOpenMs});
  }

  void take(std::string_view frame) {
    received_us_ = utc_us();
    parser_->parse(frame, *this);
  }
  /// Off the hot path: what can be done before the next price is known.
  void prepare() {
    series_.prepare();
    engine_.prepare();
  }
  std::string& command() { return command_; }
  void say_always(std::int64_t time_us) { fixed_us_ = time_us; }

 private:
  static feeds::SeriesRules rules() {
    feeds::SeriesRules rules{*engine::Interval::parse("1m")};
    rules.rows_per_request = 1000;
    rules.stale_after_ms = 180'000;
    return rules;
  }
  std::int64_t utc_us() const {
    using namespace std::chrono;
    const auto now = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
    return fixed_us_ != 0 ? fixed_us_ : now;
  }

  void on_trade(const feeds::Trade&) override {}
  void on_kline(const feeds::Kline& kline) override {
    if (names_.find(kline.symbol, kline.interval) == nullptr) return;
    const auto monotonic = std::chrono::steady_clock::now().time_since_epoch();
    series_.on_kline(
        kline, received_us_,
        {std::chrono::duration_cast<std::chrono::milliseconds>(monotonic).count(), utc_us() / 1000});
  }
  void on_bar(const engine::Bar& bar, std::int64_t received_us) override {
    if (series_.state() != feeds::SeriesState::live) return;
    state::SignalRecord record;
    record.bar = bar;
    record.signal = engine_.update(bar);
    record.prev_close_ms = bar.open_time_ms;
    record.next_close_ms = bar.close_time_ms + kMinuteMs;
    record.anchor_ms = kFirstOpenMs;
    record.received_us = received_us;
    formatter_.append_command(command_, text_, record, {500, 10'000, 0}, utc_us());
  }

  std::unique_ptr<feeds::FrameParser> parser_ = feeds::new_binance_frame_parser();
  feeds::StreamNames names_;
  feeds::Series series_;
  engine::Incremental engine_;
  state::SeriesText text_;
  state::SignalFormatter formatter_;
  std::string command_;
  std::int64_t received_us_ = 0;
  std::int64_t fixed_us_ = 0;
};

}  // namespace atcd::perf
