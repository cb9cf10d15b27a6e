#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "tests/engine/columns.hpp"

// The engines that a batch leaves are those that took every bar.

namespace atcd::engine {
namespace {

using trials::Maker;
using trials::Trial;

/// Many series of one plan and the engines that took their bars one by one.
struct Series {
  Series(const std::shared_ptr<const Plan>& plan, const Kernel& kernel, std::vector<Trial> of_trials,
         bool timed)
      : trials(std::move(of_trials)) {
    for (const Trial& trial : trials) times.push_back(trials::close_times(timed ? trial.closes.size() : 0));
    for (std::size_t i = 0; i < trials.size(); ++i) {
      inputs.push_back({trials[i].closes, trials[i].sources, times[i]});
      expected.emplace_back(plan, kernel);
      for (std::size_t bar = 0; bar < trials[i].closes.size(); ++bar) {
        expected[i].update(trials[i].closes[bar], source_of(trials[i], bar), timed ? times[i][bar] : 0);
      }
      left.emplace_back(plan, kernel);
    }
  }

  std::vector<Trial> trials;
  std::vector<std::vector<std::int64_t>> times;
  std::vector<BatchInput> inputs;
  std::vector<Incremental> expected, left;
};

bool same_signal(const Signal& a, const Signal& b) {
  return std::equal(a.layer1.begin(), a.layer1.end(), b.layer1.begin(),
                    [](double x, double y) { return trials::same_bits(x, y); }) &&
         std::equal(a.equity.begin(), a.equity.end(), b.equity.begin(),
                    [](double x, double y) { return trials::same_bits(x, y); }) &&
         trials::same_bits(a.average, b.average) && a.bar_index == b.bar_index &&
         a.trend_since_ms == b.trend_since_ms && a.trend == b.trend && a.previous_trend == b.previous_trend;
}

std::vector<double> saved(const Incremental& engine) {
  std::vector<double> values(engine.saved_bytes() / sizeof(double));
  engine.save(std::as_writable_bytes(std::span(values)));
  return values;
}

/// The first of the saved doubles that differs, -1 where none does.
std::ptrdiff_t difference(const Incremental& a, const Incremental& b) {
  const auto x = saved(a), y = saved(b);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!trials::same_bits(x[i], y[i])) return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

bool same_future(Incremental& expected, Incremental& left, const Trial& trial, Maker& maker) {
  const bool pine = trial.parameters.dialect == Dialect::pine;
  double price = trial.closes.back() > 0 ? trial.closes.back() : 100;
  for (int i = 0; i < 50; ++i) {
    price *= 1 + maker.real(-0.02, 0.02);
    if (maker.one_in(3)) left.prepare();
    Bar bar{};
    bar.open = bar.high = bar.low = bar.close = price;
    if (maker.one_in(3) && !same_signal(expected.preview(bar), left.preview(bar))) return false;
    const double source = !pine && maker.one_in(20) ? std::numeric_limits<double>::quiet_NaN() : price;
    if (!same_signal(expected.update(price, source, i), left.update(price, source, i))) return false;
    if (maker.one_in(5) && (!expected.step_back() || !left.step_back())) return false;
  }
  return true;
}

/// So many series under the trial's parameters, of lengths near and far, some with missing values.
std::vector<Trial> some_series(Maker& maker, const Trial& first, std::size_t count) {
  std::vector<Trial> trials = {first};
  const std::int64_t fewest = Plan(first.parameters).minimum_bars();
  while (trials.size() < count) {
    Trial next{first.parameters, maker.prices(static_cast<std::size_t>(fewest + maker.from_to(0, 260))), {}};
    if (maker.one_in(4)) next.closes = maker.prices(first.closes.size());
    if (maker.one_in(3)) {
      next.sources = next.closes;
      for (double& value : next.sources) value *= 1 + maker.real(-0.004, 0.004);
    }
    if (first.parameters.dialect == Dialect::lts && maker.one_in(4)) {
      maker.lose_some(next.closes);
      // Some end with missing values, so that the next bar goes over them.
      if (maker.one_in(2)) next.closes.back() = std::numeric_limits<double>::quiet_NaN();
    }
    trials.push_back(next);
  }
  return trials;
}

/// What differs first, as a word; empty where nothing does.
std::string difference(const std::shared_ptr<const Plan>& plan, const Kernel& kernel,
                       const std::vector<Trial>& trials, Maker& maker) {
  Series series(plan, kernel, trials, !maker.one_in(4));
  std::vector<Incremental*> engines;
  for (Incremental& engine : series.left) engines.push_back(maker.one_in(5) ? nullptr : &engine);
  const auto threads = static_cast<unsigned>(maker.from_to(1, 2));
  if (!compute_batches(*plan, series.inputs, {}, kernel, threads, engines).empty()) return "refused";
  for (std::size_t i = 0; i < trials.size(); ++i) {
    Incremental& expected = series.expected[i];
    Incremental& left = series.left[i];
    if (engines[i] == nullptr) {
      if (left.bars() != 0) return "not asked for";
      continue;
    }
    const std::string where = std::string(" of series ") + std::to_string(i) + " by " + kernel.name;
    if (!same_signal(expected.last(), left.last())) return "last" + where;
    if (difference(expected, left) >= 0) return "state" + where;
    if (!same_future(expected, left, trials[i], maker)) return "future" + where;
    if (difference(expected, left) >= 0) return "later state" + where;
  }
  return "";
}

RC_GTEST_PROP(BatchEnginesTest, AreThoseThatTookEveryBar, ()) {
  Maker maker(*rc::gen::arbitrary<std::uint64_t>());
  const Trial first = maker.trial(false);
  const auto plan = std::make_shared<const Plan>(first.parameters);
  const auto trials = some_series(maker, first, static_cast<std::size_t>(maker.from_to(1, 21)));
  auto kernels = available_kernels();
  kernels.push_back(&best_kernel());
  for (const Kernel* kernel : kernels) RC_ASSERT(difference(plan, *kernel, trials, maker) == "");
}

TEST(BatchEnginesTest, ASeriesOfOneBarAndOfFewerThanTheWindows) {
  Maker maker(5);
  for (const int length : {28, 512}) {
    Parameters parameters;
    parameters.dialect = Dialect::pine;
    parameters.lengths.fill(length);
    const auto plan = std::make_shared<const Plan>(parameters);
    std::vector<Trial> trials;
    for (const std::size_t bars : std::initializer_list<std::size_t>{1, 2, 3, 5, 17, 1, 64, 65, 700}) {
      trials.push_back({parameters, maker.prices(bars), {}});
    }
    for (const Kernel* kernel : available_kernels()) EXPECT_EQ(difference(plan, *kernel, trials, maker), "");
  }
}

TEST(BatchEnginesTest, LengthsUpTo512WithMissingValues) {
  Maker maker(6);
  Parameters parameters;
  parameters.robustness = Robustness::wide;
  parameters.lengths = {512, 509, 511, 500, 508, 505};
  const auto plan = std::make_shared<const Plan>(parameters);
  std::vector<Trial> trials;
  for (const std::size_t bars : std::initializer_list<std::size_t>{520, 521, 1100, 1100}) {
    trials.push_back({parameters, maker.prices(bars), {}});
    if (bars > 520) maker.lose_some(trials.back().closes);
  }
  for (const Kernel* kernel : available_kernels()) EXPECT_EQ(difference(plan, *kernel, trials, maker), "");
}

TEST(BatchEnginesTest, ColumnsAndEnginesOfOneBatchAreThoseOfEachAlone) {
  Maker maker(7);
  const Trial first = maker.trial(true);
  const auto plan = std::make_shared<const Plan>(first.parameters);
  const auto trials = some_series(maker, first, 11);
  for (const Kernel* kernel : available_kernels()) {
    Series series(plan, *kernel, trials, true);
    std::vector<trials::Columns> columns;
    std::vector<BatchOutput> outputs;
    for (const Trial& trial : trials) columns.emplace_back(trial.closes.size());
    for (auto& of_series : columns) outputs.push_back(of_series.output());
    std::vector<Incremental*> engines;
    for (Incremental& engine : series.left) engines.push_back(&engine);
    ASSERT_EQ(compute_batches(*plan, series.inputs, outputs, *kernel, 2, engines), "");
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const std::size_t bars = trials[i].closes.size();
      EXPECT_EQ(trials::difference(trials::by_batch(*plan, trials[i], *kernel, bars), columns[i], bars), "");
      EXPECT_LT(difference(series.expected[i], series.left[i]), 0);
    }
  }
}

}  // namespace
}  // namespace atcd::engine
