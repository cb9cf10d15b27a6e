// Claim: one core takes 1,000,000 forming frames a second.
// Measured span: raw frame, parsed, its stream found by its name, given to who listens, applied to its series
// with both clocks read as the daemon does; no I/O, no provisional signals. 200 live series in rotation, five
// different frames each; and 10,000, of which most are in no cache when their frame comes. That every frame
// reaches its own series is checked first.
#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "feeds/binance.hpp"
#include "feeds/series.hpp"
#include "feeds/stream_names.hpp"
#include "feeds/stream_router.hpp"
#include "perf/quiet_series.hpp"

namespace {

using namespace atcd;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kFirstOpenMs = 1'795'477'200'000;
constexpr int kUpdates = 5;

feeds::Now now() {
  using namespace std::chrono;
  return {duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count(),
          duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()};
}

std::string symbol_name(unsigned series) {
  return std::string("COIN").substr(0, 1 + series % 4) + std::to_string(series * 7919U) + "USDT";
}

/// A frame of the bar after the one that history has.
std::string forming_frame(unsigned series, int update) {
  std::string lower = symbol_name(series);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const std::int64_t open_ms = kFirstOpenMs + kMinuteMs;
  const double low = 0.5 + 3.7 * series * series;
  char text[600];
  const int size = std::snprintf(
      text, sizeof text,
      R"({"stream":"%s@kline_1m","data":{"e":"kline","E":%lld,"s":"%s","k":{"t":%lld,"T":%lld,"s":"%s",)"
      R"("i":"1m","f":55123400%d,"L":55123408%d,"o":"%.8f","c":"%.8f","h":"%.8f","l":"%.8f","v":"%.8f",)"
      R"("n":%d,"x":false,"q":"%.8f","V":"6.40218000","Q":"584140.00817300","B":"0"}}})",
      lower.c_str(), static_cast<long long>(open_ms + 2000 * update), symbol_name(series).c_str(),
      static_cast<long long>(open_ms), static_cast<long long>(open_ms + kMinuteMs - 1),
      symbol_name(series).c_str(), update, update, low * 1.01, low * (1.01 + 0.01 * update), low * 1.08, low,
      12.5 + update, 100 + update, 12.5 * low);
  std::string frame(text, static_cast<std::size_t>(size));
  frame.reserve(frame.size() + simdjson::SIMDJSON_PADDING);
  return frame;
}

struct Quiet final : atcd::perf::QuietSeries {};

struct NoFeed final : feeds::StreamRouter::Streams {
  void add(feeds::StreamIndex, const feeds::StreamName&) override {}
  void remove(feeds::StreamIndex) override {}
  void resubscribe(feeds::StreamIndex) override {}
};

class Listener final : public feeds::StreamListener {
 public:
  Listener(const feeds::SeriesRules& rules, Quiet& quiet) : series_(rules, kFirstOpenMs, quiet) {
    const feeds::Now then{0, kFirstOpenMs + kMinuteMs};
    series_.on_stream_up(then);
    feeds::HistoryResult history;
    history.rows = {{kFirstOpenMs, kFirstOpenMs + kMinuteMs, 1, 2, 1, 2, 3},
                    {kFirstOpenMs + kMinuteMs, kFirstOpenMs + 2 * kMinuteMs, 1, 2, 1, 2, 3}};
    history.server_time_ms = kFirstOpenMs + kMinuteMs + 10;
    series_.on_history(history, 0, then);
  }
  const feeds::Series& series() const { return series_; }

  void on_kline(const feeds::Kline& kline, std::int64_t received_us) override {
    series_.on_kline(kline, received_us, now());
  }
  void on_trade(const feeds::Trade&, std::int64_t) override {}
  void on_trades_interrupted() override {}
  void on_stream_up() override {}
  void on_stream_down(std::string_view) override {}
  void on_stream_refused(std::string_view) override {}

 private:
  feeds::Series series_;
};

class Market final : public feeds::FrameSink {
 public:
  explicit Market(unsigned series) {
    feeds::SeriesRules rules{*engine::Interval::parse("1m")};
    rules.rows_per_request = 1000;
    rules.stale_after_ms = 180'000;
    for (unsigned i = 0; i < series; ++i) {
      const feeds::StreamName name{symbol_name(i), "1m"};
      names_.add(name, i);
      router_.listen(*listeners_.emplace_back(std::make_unique<Listener>(rules, quiet_)), name);
    }
  }

  void take(std::string_view frame) { parser_->parse(frame, *this); }
  const feeds::Series& series(std::size_t index) const { return listeners_[index]->series(); }
  std::size_t count() const { return listeners_.size(); }

 private:
  void on_trade(const feeds::Trade&) override {}
  void on_kline(const feeds::Kline& kline) override {
    if (const feeds::StreamIndex* index = names_.find(kline.symbol, kline.interval))
      router_.on_kline(*index, kline, 0);
  }

  Quiet quiet_;
  NoFeed feed_;
  feeds::StreamNames names_;
  feeds::StreamRouter router_{feed_};
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<feeds::FrameParser> parser_ = feeds::new_binance_frame_parser();
};

bool reaches_its_series(Market& market, const std::vector<std::string>& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const feeds::Series& series = market.series(i % market.count());
    const std::uint64_t before = series.counters().forming;
    market.take(frames[i]);
    if (series.state() != feeds::SeriesState::live || series.counters().forming != before + 1) return false;
  }
  return true;
}

void forming_frames(benchmark::State& state) {
  const auto series = static_cast<unsigned>(state.range(0));
  std::vector<std::string> frames;
  for (int update = 0; update < kUpdates; ++update) {
    for (unsigned i = 0; i < series; ++i) frames.push_back(forming_frame(i, update));
  }
  Market market(series);
  if (!reaches_its_series(market, frames)) {
    state.SkipWithError("a frame did not reach its live series");
    return;
  }
  std::size_t at = 0;
  for (auto _ : state) {
    market.take(frames[at]);
    if (++at == frames.size()) at = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(forming_frames)->Arg(200)->Arg(10'000);

}  // namespace
