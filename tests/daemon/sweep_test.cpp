#include "daemon/sweep.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/csv_compute.hpp"
#include "daemon/signal_series.hpp"
#include "daemon/sweep_sets.hpp"
#include "engine/dispatch.hpp"
#include "engine/plan.hpp"
#include "state/history.hpp"
#include "tests/daemon/sweep_folder.hpp"
#include "tests/daemon/whole_csv.hpp"
#include "tests/gpu/injected_device.hpp"

namespace atcd::daemon {
namespace {

Evaluation evaluation_of(const std::vector<Bar>& bars, const std::vector<std::int8_t>& trend,
                         const EvaluationOptions& options, std::vector<Stretch> stretches = {}) {
  std::vector<double> opens, closes;
  for (const Bar& bar : bars) opens.push_back(bar.open), closes.push_back(bar.close);
  if (stretches.empty()) stretches = {{0, bars.size()}};
  std::int64_t returns = 0, span_ms = 0;
  for (const Stretch& each : stretches) {
    returns += static_cast<std::int64_t>(each.end - each.begin) - 1;
    span_ms += bars[each.end - 1].open_time_ms - bars[each.begin].open_time_ms;
  }
  const double bars_per_year =
      static_cast<double>(returns) * (365.25 * 86'400'000) / static_cast<double>(span_ms);
  return evaluate(trend, {opens, closes, bars_per_year, stretches}, options);
}

/// The trends that `atcd compute --live-anchors` gives.
std::vector<std::int8_t> computed_trend(const engine::Parameters& parameters, const std::string& name,
                                        const std::vector<Bar>& bars) {
  ComputeOptions options;
  options.parameters = parameters;
  options.extras = {"trend"};
  options.live_anchors = LiveAnchors{name, kInterval, kRule};
  CsvBars csv;
  for (const Bar& bar : bars) {
    csv.closes.push_back(bar.close);
    csv.open_ms.push_back(bar.open_time_ms);
    csv.lines.push_back(0);
  }
  const TextResult text = compute_csv(options, csv);
  EXPECT_EQ(text.error, "");
  std::vector<std::int8_t> trend;
  std::istringstream lines(text.text);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const std::string published = line.substr(line.rfind(',') + 1);
    trend.push_back(published.empty() ? std::int8_t{0} : static_cast<std::int8_t>(std::stoi(published)));
  }
  return trend;
}

TEST_F(SweepTest, TradesTheSignalsOfComputeWithLiveAnchors) {
  constexpr std::size_t kSeries = 7;
  for (std::size_t s = 0; s < kSeries; ++s) write(symbol(s), walk(230 + 31 * s, static_cast<unsigned>(s)));
  const SweepOptions options = live_options();
  const SweepResult result = run(options);
  EXPECT_TRUE(result.refused.empty());
  ASSERT_EQ(result.series.size(), kSeries);
  ASSERT_EQ(result.evaluations.size(), kSeries * options.sets.size());
  for (std::size_t s = 0; s < kSeries; ++s) {
    const std::string name = symbol(s) + ":default";
    EXPECT_EQ(result.series[s].name, name);
    const std::vector<Bar> bars = walk(230 + 31 * s, static_cast<unsigned>(s));
    // Those before have their anchor before the file's first bar.
    std::size_t first = 0;
    const std::int64_t phase = engine::anchor_phase(name, kRule.anchor_period);
    const auto anchor = [&](const Bar& bar) {
      return engine::segment_of(kRule, kInterval, phase, kInterval.ordinal(bar.open_time_ms))->anchor_ordinal;
    };
    while (anchor(bars[first]) < kInterval.ordinal(bars[0].open_time_ms)) ++first;
    const std::vector<Bar> evaluated(bars.begin() + static_cast<std::ptrdiff_t>(first), bars.end());
    EXPECT_EQ(result.series[s].bars, evaluated.size());
    for (std::size_t set = 0; set < options.sets.size(); ++set) {
      std::vector<std::int8_t> trend = computed_trend(options.sets[set], name, bars);
      trend.erase(trend.begin(), trend.begin() + static_cast<std::ptrdiff_t>(first));
      expect_same(result.evaluations[set * kSeries + s], evaluation_of(evaluated, trend, options.evaluation),
                  name + " set " + std::to_string(set));
    }
  }
  std::size_t traded = 0;
  for (const Evaluation& each : result.evaluations) traded += each.trades > 2 ? 1 : 0;
  EXPECT_GT(traded, result.evaluations.size() / 2);
}

/// The bars whose anchor the bars reach back to, before the hole and behind it.
std::vector<Stretch> reached(const std::string& name, const std::vector<Bar>& bars, std::size_t hole) {
  const std::int64_t phase = engine::anchor_phase(name + ":default", kRule.anchor_period);
  std::vector<Stretch> stretches;
  for (const auto& [begin, end] : {std::pair{std::size_t{0}, hole}, {hole, bars.size()}}) {
    std::size_t first = begin;
    while (first < end &&
           engine::segment_of(kRule, kInterval, phase, kInterval.ordinal(bars[first].open_time_ms))
                   ->anchor_ordinal < kInterval.ordinal(bars[begin].open_time_ms))
      ++first;
    if (first < end) stretches.push_back({first, end});
  }
  return stretches;
}

TEST_F(SweepTest, TradesTheSignalsOfADaemonFromItsHistory) {
  // A series with a hole, one listed lately, and one of which a bar was told late; as live sees each.
  const std::vector<std::string> names = {symbol(0), symbol(1), symbol(2)};
  std::vector<std::vector<Bar>> bars = {walk(400, 1), walk(300, 2), walk(350, 3)};
  const std::size_t hole = 180;  // in the first series: bars before it were never fetched
  state::LateBar late{bars[2][120], bars[2][150].open_time_ms};
  late.bar.close *= 1.5;
  late.bar.high = late.bar.close;
  {
    state::History history(data().string(), state::History::Access::write);
    for (std::size_t s = 0; s < names.size(); ++s) {
      const auto series = *history.add(names[s]);
      std::int64_t covered_ms = bars[s].front().open_time_ms;
      for (std::size_t i = 0; i < bars[s].size(); ++i) {
        if (s == 0 && i == hole) covered_ms = bars[s][i].open_time_ms;
        if (s == 0 && i >= hole - 20 && i < hole) continue;
        ASSERT_TRUE(history.append(series, bars[s][i], covered_ms)) << history.error();
        covered_ms = bars[s][i].close_time_ms;
      }
      if (s == 1) {
        state::Instrument instrument;
        instrument.listed_ms = bars[s].front().open_time_ms;
        ASSERT_TRUE(history.set_instrument(series, instrument));
      }
      if (s == 2) {
        ASSERT_TRUE(history.keep_late(series, late));
      }
    }
    ASSERT_TRUE(history.sync());
  }
  bars[0].erase(bars[0].begin() + hole - 20, bars[0].begin() + hole);
  SweepOptions options = live_options();
  const SweepResult result = run(options);
  EXPECT_TRUE(result.refused.empty());
  ASSERT_EQ(result.series.size(), 3U);
  for (std::size_t s = 0; s < names.size(); ++s) {
    for (std::size_t set = 0; set < options.sets.size(); ++set) {
      const auto plan = std::make_shared<const engine::Plan>(options.sets[set]);
      const SignalSeries live(plan, kRule, kInterval, names[s] + ":default");
      SignalSeries::Replay replay(live);
      std::vector<std::int8_t> trend;
      std::vector<state::LateBar> lates;
      if (s == 2) lates.push_back(late);
      for (std::size_t i = 0; i < bars[s].size(); ++i) {
        const bool behind_hole = s == 0 && i >= hole - 20;
        const std::size_t from = behind_hole ? hole - 20 : 0;
        // Of a listing's first bar on no slot is missing, however early the anchor.
        const std::int64_t covered_from = s == 1 ? 0 : kInterval.ordinal(bars[s][from].open_time_ms);
        const BarHistory known{std::span(bars[s]).subspan(from), covered_from, lates};
        const auto signal = replay.at(known, i - from);
        trend.push_back(signal ? signal->signal.trend : std::int8_t{0});
      }
      const std::vector<Stretch> stretches =
          s == 1 ? std::vector<Stretch>{{0, bars[s].size()}}
                 : reached(names[s], bars[s], s == 0 ? hole - 20 : bars[s].size());
      std::size_t evaluated = 0;
      for (const Stretch& each : stretches) evaluated += each.end - each.begin;
      EXPECT_EQ(result.series[s].bars, evaluated);
      expect_same(result.evaluations[set * 3 + s],
                  evaluation_of(bars[s], trend, options.evaluation, stretches),
                  names[s] + " set " + std::to_string(set));
    }
  }
  EXPECT_EQ(result.series[1].bars, bars[1].size());
  EXPECT_LT(result.series[2].bars, bars[2].size());
}

TEST_F(SweepTest, ThreadsPathsAndBlocksChangeNothing) {
  for (std::size_t s = 0; s < 20; ++s) write(symbol(s), walk(150 + 17 * s, static_cast<unsigned>(s)));
  const SweepOptions plain = live_options();
  const SweepResult expected = run(plain);
  EXPECT_EQ(expected.series.size(), 20U);
  for (const engine::Kernel* kernel : engine::available_kernels()) {
    for (const unsigned threads : {1U, 3U}) {
      for (const std::size_t small : {std::size_t{1}, std::size_t{900}}) {
        SweepOptions options = plain;
        options.kernel = kernel;
        options.threads = threads;
        options.block_bars = small;
        options.trend_bytes = 30 * small;  // one set at a time, or some
        options.kept_bars = small;         // the rest is read again
        expect_same(run(options), expected);
      }
    }
  }
}

TEST_F(SweepTest, OnlyALongSweepStartsADeviceAndItChangesNothing) {
  for (std::size_t s = 0; s < 9; ++s) write(symbol(s), walk(150 + 17 * s, static_cast<unsigned>(s)));
  const SweepResult expected = run(live_options());
  gpu::InjectedDevice::Script script;
  SweepOptions options = live_options();
  options.device = [&script] { return std::make_unique<gpu::InjectedDevice>(script); };
  options.choice = gpu::Choice::automatic;
  options.threads = 2;
  expect_same(run(options), expected);
  EXPECT_EQ(script.started, 0);
  options.device_bars_per_thread = 1'000;
  expect_same(run(options), expected);
  EXPECT_EQ(script.started, 1);
  // Some sets are evaluated while the next are computed.
  options.choice = gpu::Choice::device;
  options.trend_bytes = 30'000;
  script.computed = 0;
  expect_same(run(options), expected);
  EXPECT_GT(script.computed, 4);
  // The device is lost when others are being evaluated.
  script.computed = 0;
  script.calls = {{3, {gpu::Outcome::Kind::failed, "lost"}}};
  EXPECT_EQ(refusal_of(options), "--path cuda: lost");
  EXPECT_FALSE(script.overlapped);
}

TEST_F(SweepTest, WithoutLiveAnchorsBar0IsTheFirst) {
  const std::vector<Bar> bars = walk(200, 5);
  write("any name", bars);
  SweepOptions options = live_options();
  options.live_anchors.reset();
  options.range.from_ms = bars[40].open_time_ms;
  options.range.to_ms = bars[180].open_time_ms;
  const SweepResult result = run(options);
  ASSERT_EQ(result.series.size(), 1U);
  EXPECT_EQ(result.series[0].bars, 140U);
  EXPECT_EQ(result.series[0].first_open_ms, bars[40].open_time_ms);
  EXPECT_EQ(result.series[0].last_open_ms, bars[179].open_time_ms);
  const std::vector<Bar> evaluated(bars.begin() + 40, bars.begin() + 180);
  std::vector<std::int8_t> up(140, 1);
  EXPECT_EQ(result.series[0].holding, evaluation_of(evaluated, up, options.evaluation).gain);
  for (std::size_t set = 0; set < options.sets.size(); ++set) {
    const auto plan = std::make_shared<const engine::Plan>(options.sets[set]);
    engine::Incremental engine(plan);
    std::vector<std::int8_t> trend;
    for (std::size_t i = 0; i < 180; ++i) {
      const engine::Signal signal = engine.update(bars[i]);
      if (i < 40) continue;
      trend.push_back(engine.bars() < plan->minimum_bars() ? std::int8_t{0} : signal.trend);
    }
    expect_same(result.evaluations[set], evaluation_of(evaluated, trend, options.evaluation),
                std::to_string(set));
  }
}

TEST_F(SweepTest, BarsAfterTheEndChangeNothing) {
  std::vector<Bar> bars = walk(300, 5);
  write(symbol(0), bars);
  SweepOptions options = live_options();
  options.range.to_ms = bars[220].open_time_ms;
  const SweepResult before = run(options);
  for (std::size_t i = 220; i < bars.size(); ++i) bars[i].close *= 3;
  write(symbol(0), bars);
  expect_same(run(options), before);
}

TEST_F(SweepTest, APeriodFarLongerThanTheBarsIsOneRun) {
  const engine::Interval interval = *engine::Interval::parse("1M");
  WholeSeries whole;
  for (int i = 0; i < 30; ++i) {
    const std::int64_t open_ms = interval.open_time_ms(2020 * 12 + 1 + i);
    whole.bars.push_back({open_ms, interval.close_time_ms(open_ms), 1, 1, 1, 1, 1});
  }
  whole.parts = {{0, whole.bars.front().open_time_ms}};
  whole.listed_ms = whole.bars.front().open_time_ms;
  for (const std::int64_t period : {400'000, 1'000'000'000}) {
    std::string refusal;
    const SweepSeries series(
        whole, {"x:y:Z:1M:p", "", interval},
        engine::AnchorRule{.history_bars = 1500, .anchor_period = period, .fixed_anchor_ms = {}}, {},
        refusal);
    EXPECT_EQ(refusal, "");
    ASSERT_EQ(series.runs().size(), 1U) << period;
    EXPECT_EQ(series.runs()[0].anchor, 0U);
    EXPECT_EQ(series.runs()[0].end, 30U);
  }
}

TEST_F(SweepTest, TooFewBarsForASetAreFlat) {
  write("short", walk(20, 1));
  SweepOptions options;
  options.sets = parse_sets("[[set]]\nlengths = [8, 28]\ncutout = [0, 19, 30]\n").sets;
  const SweepResult result = run(options);
  ASSERT_EQ(result.evaluations.size(), 6U);
  for (std::size_t set = 2; set < 6; ++set) EXPECT_EQ(result.evaluations[set].trades, 0) << set;
}

// They take address space of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

/// Of the address space, beyond what is taken now.
void allow_no_more_than(std::size_t bytes) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t all = pages * static_cast<std::size_t>(getpagesize()) + bytes;
  const rlimit limit{all, all};
  setrlimit(RLIMIT_AS, &limit);
}

TEST_F(SweepTest, PlansOfManyLambdasStayWithinMemory) {
  if (kSanitized) GTEST_SKIP() << "sanitizers take address space of their own";
  write(symbol(0), walk(200, 1));
  SweepOptions options;
  engine::Parameters set;
  for (int i = 0; i < 2500; ++i) {  // tables of all would be 160 MB
    set.lambda = 0.01 + 1e-5 * i;
    options.sets.push_back(set);
  }
  options.trend_bytes = std::size_t{1} << 23;
  const auto swept = [&] {
    allow_no_more_than(std::size_t{1} << 27);
    const SweepResult result = run(options);
    for (std::size_t i = 0; i < options.sets.size(); i += 400) {
      SweepOptions alone = options;
      alone.sets = {options.sets[i]};
      if (std::memcmp(&run(alone).evaluations[0], &result.evaluations[i], sizeof(Evaluation)) != 0) _exit(2);
    }
    _exit(result.evaluations.size() == options.sets.size() ? 0 : 3);
  };
  EXPECT_EXIT(swept(), testing::ExitedWithCode(0), "");
}

TEST_F(SweepTest, WhatCanNotBeEvaluatedIsNamed) {
  write(symbol(0), walk(200, 1));
  write(symbol(1), walk(30, 1));  // no anchor within
  write("noname", walk(200, 1));
  std::ofstream(data() / (symbol(3) + ".csv")) << "open_ms,close\n0,1\n60000,2\n";
  std::ofstream(data() / (symbol(4) + ".csv")) << "open_ms,open,close\n0,1,1\n60000,1,\n";
  std::ofstream(data() / (symbol(5) + ".csv")) << "open_ms,open,close\n0,1,1\n60000,-1,1\n";
  std::ofstream(data() / (symbol(6) + ".csv")) << "open,close\n1,1\n";
  std::ofstream(data() / (symbol(7) + ".csv")) << "open_ms,open,close\n";
  const SweepResult result = run(live_options());
  ASSERT_EQ(result.series.size(), 1U);
  const auto refused = [&](const std::string& text) {
    for (const std::string& each : result.refused) {
      if (each.find(text) != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_EQ(result.refused.size(), 7U);
  EXPECT_TRUE(refused("S1:1m:default: it has no bar in this time whose anchor"));
  EXPECT_TRUE(refused("noname.csv: --live-anchors is \"noname:default\""));
  EXPECT_TRUE(refused("S3:1m:default: it has no column open, but --fill next-open needs one"));
  EXPECT_TRUE(refused("S4:1m:default: line 3: close is missing, but must be a finite number above 0"));
  EXPECT_TRUE(refused("S5:1m:default: line 3: open is no finite number above 0"));
  EXPECT_TRUE(refused("S6:1m:default: --live-anchors needs a column open_ms"));
  EXPECT_TRUE(refused("S7:1m:default: there are no bars"));
}

}  // namespace
}  // namespace atcd::daemon
