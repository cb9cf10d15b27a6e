#include "daemon/evaluation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "engine/anchor.hpp"

namespace atcd::daemon {
namespace {

using Trend = std::vector<std::int8_t>;
using Prices = std::vector<double>;

constexpr double kRounding = 1e-14;

EvaluationOptions free_of_cost(Fill fill = Fill::next_open) {
  EvaluationOptions options;
  options.fee_bp = 0;
  options.fill = fill;
  return options;
}

// Prices and fractions below are such that all is exact in double.

TEST(EvaluationTest, ASignalIsActedOnAtTheNextOpen) {
  // Up at bar 0: bought at 100 (bar 1), not at 64; down at bar 2: sold at 150 (bar 3) and sold short.
  const Prices opens = {64, 100, 128, 150, 75}, closes = {64, 125, 200, 150, 75};
  const Evaluation result = evaluate(Trend{1, 1, -1, -1, 1}, {opens, closes, 1}, free_of_cost());
  // 1 -> 1.5 when sold; short 1.5 at 150, which falls to 75: 2.25.
  EXPECT_EQ(result.gain, 1.25);
  EXPECT_EQ(result.trades, 2);
  EXPECT_EQ(result.exposure, 1.0);
  EXPECT_EQ(result.turnover, 3.0);  // bought, sold, sold short
  // Closes: 1, 1.25, 2, 1.5, 2.25.
  EXPECT_EQ(result.max_drawdown, 0.25);
}

TEST(EvaluationTest, OrAtTheNextClose) {
  const Prices closes = {64, 125, 200, 150, 75};
  const Evaluation result = evaluate(Trend{1, 1, -1, -1, 1}, {{}, closes, 1}, free_of_cost(Fill::next_close));
  // Bought at 125, sold at 150: 1.2; short at 150, 75: 1.8.
  EXPECT_DOUBLE_EQ(result.gain, 0.8);
  EXPECT_DOUBLE_EQ(result.max_drawdown, 0.25);
  EXPECT_EQ(result.trades, 2);
}

TEST(EvaluationTest, FeesAndSlippageComeOffEachTime) {
  const Prices opens = {100, 100, 200}, closes = {100, 100, 200};
  EvaluationOptions options;
  options.fee_bp = 2500;
  options.slippage_bp = 0;
  // The position and its fee are the equity: 0.8 is bought, worth 1.6, sold with a fee of 0.4.
  EXPECT_NEAR(evaluate(Trend{1, 0, 0}, {opens, closes, 1}, options).gain, 0.2, kRounding);
  // Held to the end it is valued, not sold.
  EXPECT_NEAR(evaluate(Trend{1, 1, 1}, {opens, closes, 1}, options).gain, 0.6, kRounding);
  // Bought at 125, sold at 150.
  options.fee_bp = 0;
  options.slippage_bp = 2500;
  EXPECT_NEAR(evaluate(Trend{1, 0, 0}, {opens, closes, 1}, options).gain, 0.2, kRounding);
  // Sold short at 75, bought back at 62.5 where the price is 50.
  const Prices falling = {100, 100, 50};
  EXPECT_NEAR(evaluate(Trend{-1, 0, 0}, {falling, falling, 1}, options).gain, 1 - 62.5 / 75, kRounding);
  // Sold short for 0.8 with a fee of 0.2; 0.4 buys it back with a fee of 0.1.
  options.fee_bp = 2500;
  options.slippage_bp = 0;
  EXPECT_NEAR(evaluate(Trend{-1, 0, 0}, {falling, falling, 1}, options).gain, 0.1, kRounding);
}

TEST(EvaluationTest, SidesThatAreNotTakenAreFlat) {
  const Prices prices = {100, 100, 110, 99, 99, 90};
  const Trend trend = {1, -1, -1, 1, -1, -1};
  EvaluationOptions options = free_of_cost();
  options.side = Side::long_only;
  const Evaluation longs = evaluate(trend, {prices, prices, 1}, options);
  EXPECT_DOUBLE_EQ(longs.gain, 1.1 * (90.0 / 99) - 1);
  EXPECT_EQ(longs.trades, 2);
  EXPECT_DOUBLE_EQ(longs.exposure, 2.0 / 5);
  options.side = Side::short_only;
  const Evaluation shorts = evaluate(trend, {prices, prices, 1}, options);
  EXPECT_NEAR(shorts.gain, 0.1, kRounding);
  EXPECT_EQ(shorts.trades, 2);
}

TEST(EvaluationTest, TheSharpeRatioIsOfTheBarsReturnsAYear) {
  const Prices prices = {100, 100, 110, 99, 108.9};
  const Evaluation result = evaluate(Trend{1, 1, 1, 1, 1}, {prices, prices, 400}, free_of_cost());
  // Returns 0, 0.1, -0.1, 0.1: mean 0.025, deviation sqrt((0.03 - 4 * 0.025 ^ 2) / 3); a year has 400.
  EXPECT_NEAR(result.sharpe, 0.025 / std::sqrt((0.03 - 4 * 0.025 * 0.025) / 3) * 20, 1e-12);
}

TEST(EvaluationTest, WithoutAPositionNothingHappens) {
  const Prices prices = {100, 50, 200};
  const Evaluation result = evaluate(Trend{0, 0, 1}, {prices, prices, 1}, free_of_cost());
  EXPECT_EQ(result.gain, 0);
  EXPECT_EQ(result.max_drawdown, 0);
  EXPECT_EQ(result.trades, 0);
  EXPECT_EQ(result.exposure, 0);
  EXPECT_TRUE(std::isnan(result.sharpe));
}

TEST(EvaluationTest, AShortThatLosesAllEnds) {
  const Prices closes = {100, 100, 250, 10, 10};
  const Evaluation result = evaluate(Trend{-1, -1, -1, 1, 1}, {closes, closes, 1}, free_of_cost());
  EXPECT_EQ(result.gain, -1);
  EXPECT_EQ(result.max_drawdown, 1);
  EXPECT_EQ(result.trades, 1);
  // Lost at the open where it was to be bought back.
  const Prices opens = {100, 100, 250, 10, 10}, later = {100, 100, 150, 10, 10};
  const Evaluation at_open = evaluate(Trend{-1, 1, 1, 1, 1}, {opens, later, 1}, free_of_cost());
  EXPECT_EQ(at_open.gain, -1);
  EXPECT_EQ(at_open.trades, 1);
}

TEST(EvaluationTest, EachStretchIsForItself) {
  // Long at 128, worth 1.25 at the end; what follows is no bar of any; short from 256 on, bought back at 192.
  const Prices opens = {64, 128, 999, 999, 400, 256, 192, 8, 8};
  const Prices closes = {64, 160, 999, 999, 400, 128, 192, 8, 8};
  const std::vector<Stretch> stretches = {{0, 2}, {4, 7}, {7, 8}, {8, 9}};
  const Trend trend = {1, 1, 1, 1, -1, 1, 1, 1, 1};
  const Evaluation result = evaluate(trend, {opens, closes, 4, stretches}, free_of_cost());
  // 1.25 when the first ends; 1.875 at 128, 1.5625 at 192, where it is turned.
  EXPECT_NEAR(result.gain, 0.5625, kRounding);
  EXPECT_NEAR(result.max_drawdown, 1 - 1.5625 / 1.875, kRounding);
  EXPECT_EQ(result.trades, 3);
  EXPECT_NEAR(result.turnover, 3.6, kRounding);  // bought; sold short; bought back for 0.9375, and bought
  EXPECT_EQ(result.exposure, 1.0);
  const double a = 0.25, b = 0.5, c = 1.5625 / 1.875 - 1, mean = (a + b + c) / 3;
  EXPECT_NEAR(
      result.sharpe,
      mean / std::sqrt(((a - mean) * (a - mean) + (b - mean) * (b - mean) + (c - mean) * (c - mean)) / 2) * 2,
      1e-12);
  // A position that a stretch ends is valued, as the last is: no fee.
  EvaluationOptions options;
  options.fee_bp = 2500;
  const Prices same = {100, 100, 100, 100, 100};
  const std::vector<Stretch> two = {{0, 2}, {2, 5}};
  const Evaluation costs = evaluate(Trend{1, 1, 1, 1, 1}, {same, same, 1, two}, options);
  EXPECT_NEAR(costs.gain, 0.8 * 0.8 - 1, kRounding);
  EXPECT_NEAR(costs.turnover, 1.6, kRounding);
}

TEST(EvaluationTest, WhatIsLostInOneStretchIsLostForAll) {
  const Prices prices = {100, 100, 250, 100, 100, 50};
  const std::vector<Stretch> stretches = {{0, 3}, {3, 6}};
  const Evaluation result =
      evaluate(Trend{-1, -1, -1, -1, -1, -1}, {prices, prices, 1, stretches}, free_of_cost());
  EXPECT_EQ(result.gain, -1);
  EXPECT_EQ(result.trades, 1);
}

TEST(EvaluationTest, NothingDependsOnWhatComesLater) {
  std::mt19937 random(4);
  const auto price = [&] { return 50 + static_cast<double>(random() % 1000) / 10; };
  const auto side = [&] { return static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1); };
  for (int round = 0; round < 300; ++round) {
    const std::size_t bars = 2 + random() % 40, known = 2 + random() % (bars - 1);
    Trend trend(bars);
    Prices opens(bars), closes(bars);
    for (std::size_t i = 0; i < bars; ++i) trend[i] = side(), opens[i] = price(), closes[i] = price();
    EvaluationOptions options;
    options.fill = round % 2 == 0 ? Fill::next_open : Fill::next_close;
    const auto of = [&](std::size_t count) {
      return evaluate(std::span(trend).first(count),
                      {std::span(opens).first(count), std::span(closes).first(count), 8766}, options);
    };
    const Evaluation before = of(known);
    // The last known trend is of use only later, and so is all that follows.
    trend[known - 1] = side();
    for (std::size_t i = known; i < bars; ++i) trend[i] = side(), opens[i] = price(), closes[i] = price();
    const Evaluation after = of(known);
    EXPECT_EQ(std::memcmp(&before, &after, sizeof before), 0) << round;
    // And a bar's own prices do not depend on its trend: what was decided up to t is the same trades.
    EXPECT_LE(before.trades, of(bars).trades) << round;
  }
}

TEST(EvaluationTest, TheBitsAreThoseOfEveryVersion) {
  // Kept results go on with those of the next version: the order of operations is fixed.
  std::mt19937 random(9);
  const auto part = [&] { return static_cast<double>(random() % 4096) / 4096; };
  std::string all;
  for (unsigned round = 0; round < 3000; ++round) {
    const std::size_t bars = 2 + random() % 120, turns = 1 + random() % 40;
    const double move = round % 7 == 0 ? 0.9 : 0.05;  // where it is large a short may lose all
    Trend trend(bars);
    Prices opens(bars), closes(bars);
    double price = 100;
    int side = 0;
    for (std::size_t i = 0; i < bars; ++i) {
      if (random() % turns == 0) side = static_cast<int>(random() % 3) - 1;
      trend[i] = static_cast<std::int8_t>(side);
      opens[i] = price * (1 + 0.1 * move * (part() - 0.5));
      closes[i] = price *= 1 + 1.5 * move * (part() - 0.5);
    }
    EvaluationOptions options;
    options.side = static_cast<Side>(round % 3);
    options.fill = static_cast<Fill>(round % 2);
    options.fee_bp = 10.0 * (round % 5);
    options.slippage_bp = 3.0 * (round % 4);
    const Evaluation result = evaluate(trend, {opens, closes, 8766}, options);
    for (const double each : {result.gain, result.max_drawdown, std::isnan(result.sharpe) ? 0 : result.sharpe,
                              result.turnover, result.exposure, static_cast<double>(result.trades)}) {
      all.append(reinterpret_cast<const char*>(&each), sizeof each);
    }
  }
  EXPECT_EQ(engine::fnv1a_64(all), 4914798171787763896U);
}

TEST(EvaluationTest, ATrendThatKnowsTheNextBarIsOnlyWorthItOneBarLater) {
  // Each bar rises or falls by a tenth; a trend that copies its own bar's move gains nothing from it.
  const Prices opens = {100, 100, 110, 99, 108.9}, closes = {100, 110, 99, 108.9, 98.01};
  const Evaluation result = evaluate(Trend{0, 1, -1, 1, -1}, {opens, closes, 1}, free_of_cost());
  EXPECT_LT(result.gain, -0.2);
}

}  // namespace
}  // namespace atcd::daemon
