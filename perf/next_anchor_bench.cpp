// How long prepare() keeps a worker's thread, and with it the bars of its other series, near the next anchor:
// where it builds that engine itself, and where it asks for it and takes it up one bar later.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "daemon/bulk.hpp"
#include "daemon/signal_series.hpp"

namespace {

using namespace atcd;
using Clock = std::chrono::steady_clock;

const engine::Interval kMinute(1, engine::Interval::Unit::minute);
constexpr std::string_view kName = "binance:spot:BTCUSDT:1m:default";
constexpr engine::AnchorRule kRule{1500, 1500, {}};
constexpr std::int64_t kSlotsLeft = 30;

/// From the present anchor to the bar before the one at which the next anchor's engine is begun, and some
/// more.
struct Market {
  Market() {
    const std::int64_t phase = engine::anchor_phase(kName, kRule.anchor_period);
    const auto segment = *engine::segment_of(kRule, kMinute, phase, 28'000'000);
    covered_from = segment.anchor_ordinal;
    begin = static_cast<std::size_t>(segment.end_ordinal - kSlotsLeft - covered_from);
    std::mt19937 random(1);
    double price = 100;
    for (std::int64_t slot = covered_from; slot < segment.end_ordinal + 5; ++slot) {
      price *= 1 + (static_cast<double>(random() % 2001) - 1000) * 1e-5;
      const std::int64_t open_ms = kMinute.open_time_ms(slot);
      bars.push_back({open_ms, open_ms + 60'000, price, price, price, price, 1});
    }
  }
  daemon::BarHistory first(std::size_t count) const { return {std::span(bars).first(count), covered_from}; }

  std::vector<engine::Bar> bars;
  std::int64_t covered_from;
  std::size_t begin;
};

class Watched final : public daemon::Replays {
 public:
  explicit Watched(daemon::Bulk& bulk) : bulk_(bulk) {}
  bool ask(std::shared_ptr<daemon::ReplayJob> job) override {
    last = job;
    return bulk_.ask(std::move(job));
  }
  void taken_up() override { bulk_.taken_up(); }
  std::shared_ptr<daemon::ReplayJob> last;

 private:
  daemon::Bulk& bulk_;
};

template <class Work>
double seconds(Work&& work) {
  const auto began = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - began).count();
}

enum class Part { here, asking, taking_up };

void prepare_near_the_next_anchor(benchmark::State& state, Part part) {
  const Market market;
  const auto plan = std::make_shared<const engine::Plan>(engine::Parameters{});
  gpu::Planner planner({nullptr, 1});
  daemon::Bulk bulk(planner);
  Watched watched(bulk);
  daemon::SignalSeries other(plan, kRule, kMinute, kName);
  const auto wanted = other.newest(market.first(market.bars.size()));
  std::vector<double> times;
  for (auto _ : state) {
    daemon::SignalSeries series(plan, kRule, kMinute, kName);
    daemon::Replays* const elsewhere = part == Part::here ? nullptr : &watched;
    std::size_t count = market.begin;
    series.newest(market.first(count));
    const double first = seconds([&] { series.prepare(market.first(count), elsewhere); });
    if (elsewhere != nullptr) {
      bulk.wake();
      while (!watched.last->done.load(std::memory_order_acquire)) std::this_thread::yield();
    }
    series.newest(market.first(++count));
    const double second = seconds([&] { series.prepare(market.first(count), elsewhere); });
    times.push_back(part == Part::taking_up ? second : first);
    state.SetIterationTime(first + second);
    while (count < market.bars.size()) {
      const auto signal = series.newest(market.first(++count));
      series.prepare(market.first(count), elsewhere);
      if (count == market.bars.size() && !same_bits(*signal, *wanted)) state.SkipWithError("other bits");
    }
  }
  std::sort(times.begin(), times.end());
  state.counters["median_us"] = 1e6 * times[times.size() / 2];
  state.counters["p90_us"] = 1e6 * times[times.size() * 9 / 10];
}

BENCHMARK_CAPTURE(prepare_near_the_next_anchor, here, Part::here)->UseManualTime()->Iterations(1000);
BENCHMARK_CAPTURE(prepare_near_the_next_anchor, asking, Part::asking)->UseManualTime()->Iterations(1000);
BENCHMARK_CAPTURE(prepare_near_the_next_anchor, taking_up, Part::taking_up)
    ->UseManualTime()
    ->Iterations(1000);

}  // namespace
