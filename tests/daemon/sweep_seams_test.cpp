// A daemon's history with holes: what no anchor reaches behind one is neither traded nor held.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/signal_series.hpp"
#include "daemon/sweep.hpp"
#include "engine/plan.hpp"
#include "state/history.hpp"
#include "tests/daemon/sweep_folder.hpp"
#include "tests/gpu/injected_device.hpp"

namespace atcd::daemon {
namespace {

constexpr double kRounding = 1e-12;
constexpr std::size_t kBars = 400;

using Hole = std::pair<std::size_t, std::size_t>;  // the bars from the one to the other were never fetched

class SweepSeamsTest : public SweepTest {
 protected:
  void append(const std::string& name, const std::vector<Bar>& bars, const std::vector<Hole>& holes) const {
    state::History history(data().string(), state::History::Access::write);
    const auto series = *history.add(name);
    std::int64_t covered_ms = bars.front().open_time_ms;
    for (std::size_t i = 0; i < bars.size(); ++i) {
      const auto within = [i](const Hole& hole) { return i >= hole.first && i < hole.second; };
      if (std::any_of(holes.begin(), holes.end(), within)) continue;
      if (i > 0 &&
          std::any_of(holes.begin(), holes.end(), [i](const Hole& hole) { return hole.second == i; }))
        covered_ms = bars[i].open_time_ms;
      ASSERT_TRUE(history.append(series, bars[i], covered_ms)) << history.error();
      covered_ms = bars[i].close_time_ms;
    }
    ASSERT_TRUE(history.sync());
  }

  /// How many of the bars have a signal, as a daemon sees them that holds these alone.
  static std::size_t signals(const std::string& name, std::span<const Bar> bars,
                             const engine::Parameters& set) {
    const SignalSeries live(std::make_shared<const engine::Plan>(set), kRule, kInterval, name + ":default");
    SignalSeries::Replay replay(live);
    const BarHistory known{bars, kInterval.ordinal(bars.front().open_time_ms)};
    std::size_t count = 0;
    for (std::size_t i = 0; i < bars.size(); ++i) count += replay.at(known, i).has_value();
    return count;
  }
};

/// Long whatever the signal is.
engine::Parameters always_long() {
  engine::Parameters set = some_sets().front();
  set.long_threshold = -1.5;
  set.short_threshold = -2;
  return set;
}

/// As one who traded the one bars and then the other.
double both(double a, double b) { return (1 + a) * (1 + b) - 1; }

TEST_F(SweepSeamsTest, OnlyBarsWithASignalAreEvaluated) {
  const std::vector<Bar> bars = walk(kBars, 1);
  append(symbol(0), bars, {{200, 210}});
  SweepOptions options = live_options();
  options.sets.push_back(always_long());
  const SweepResult result = run(options);
  ASSERT_EQ(result.refused, std::vector<std::string>{});
  const std::span<const Bar> all(bars);
  EXPECT_EQ(result.series[0].bars, signals(symbol(0), all.first(200), always_long()) +
                                       signals(symbol(0), all.subspan(210), always_long()));
  SweepOptions before = options, after = options;
  before.range.to_ms = bars[200].open_time_ms;
  after.range.from_ms = bars[210].open_time_ms;
  const SweepResult first = run(before), second = run(after);
  EXPECT_EQ(result.series[0].bars, first.series[0].bars + second.series[0].bars);
  EXPECT_EQ(result.series[0].first_open_ms, first.series[0].first_open_ms);
  EXPECT_EQ(result.series[0].last_open_ms, second.series[0].last_open_ms);
  EXPECT_NEAR(result.series[0].holding, both(first.series[0].holding, second.series[0].holding), kRounding);
  for (std::size_t set = 0; set < options.sets.size(); ++set) {
    const Evaluation &whole = result.evaluations[set], &a = first.evaluations[set],
                     &b = second.evaluations[set];
    EXPECT_NEAR(whole.gain, both(a.gain, b.gain), kRounding) << set;
    EXPECT_NEAR(whole.turnover, a.turnover + b.turnover, kRounding) << set;
    EXPECT_EQ(whole.trades, a.trades + b.trades) << set;
    EXPECT_GE(whole.max_drawdown, std::max(a.max_drawdown, b.max_drawdown) - kRounding) << set;
  }
  const Evaluation& held = result.evaluations.back();
  EXPECT_EQ(held.exposure, 1);
  EXPECT_EQ(held.trades, 2);
  EXPECT_EQ(held.gain, result.series[0].holding);
}

/// Read again it has the same bars: those behind the hole belong to no result.
TEST_F(SweepSeamsTest, BarsBehindTheLastHoleMayAllLackASignal) {
  const std::vector<Bar> bars = walk(kBars, 2);
  append(symbol(0), bars, {{380, 381}});
  SweepOptions options = live_options();
  options.kept_bars = 0;
  const SweepResult result = run(options);
  ASSERT_EQ(result.refused, std::vector<std::string>{});
  EXPECT_EQ(result.series[0].last_open_ms, bars[379].open_time_ms);
  options.range.to_ms = bars[380].open_time_ms;
  expect_same(result, run(options));
}

TEST_F(SweepSeamsTest, PathsThreadsAndBlocksChangeNothing) {
  append(symbol(0), walk(kBars, 3), {{120, 123}, {250, 290}});
  append(symbol(1), walk(kBars, 4), {});
  append(symbol(2), walk(kBars, 5), {{10, 11}, {200, 201}, {399, 400}});
  const SweepResult expected = run(live_options());
  ASSERT_EQ(expected.series.size(), 3U);
  SweepOptions options = live_options();
  options.threads = 3;
  options.block_bars = 1;
  options.trend_bytes = 30;
  options.kept_bars = 1;
  expect_same(run(options), expected);
  gpu::InjectedDevice::Script script;
  options = live_options();
  options.device = [&script] { return std::make_unique<gpu::InjectedDevice>(script); };
  options.choice = gpu::Choice::device;
  expect_same(run(options), expected);
  EXPECT_GT(script.computed, 0);
}

TEST_F(SweepSeamsTest, OneBarAloneEarnsNothing) {
  // Each bar's anchor is the slot before it.
  const engine::AnchorRule rule{.history_bars = 1, .anchor_period = 1, .fixed_anchor_ms = {}};
  WholeSeries whole;
  const auto add = [&whole](std::int64_t slot) {
    whole.bars.push_back({slot * kMinute, (slot + 1) * kMinute, 1, 1, 1, 1, 1});
  };
  const auto read = [&](std::string& refusal) {
    return SweepSeries(whole, {"x:y:Z:1m:p", "", kInterval}, rule, {}, refusal);
  };
  add(100), add(101), add(110), add(111);
  whole.parts = {{0, 100 * kMinute}, {2, 110 * kMinute}};
  std::string refusal;
  read(refusal);
  EXPECT_EQ(
      refusal,
      "it has no two bars in this time that follow one another and whose anchor its bars reach back to, "
      "but at least two are needed");
  add(112);
  refusal.clear();
  EXPECT_EQ(read(refusal).bars(), 3U);
  EXPECT_EQ(refusal, "");
  EXPECT_EQ(read(refusal).evaluated().bars_per_year, 365.25 * 1440);
  // Also where the second piece has a signal from its first bar on: nothing was traded just before.
  whole.parts = {{0, 99 * kMinute}, {2, 109 * kMinute}};
  EXPECT_EQ(read(refusal).bars(), 5U);
  EXPECT_EQ(read(refusal).evaluated().bars_per_year, 365.25 * 1440);
}

}  // namespace
}  // namespace atcd::daemon
