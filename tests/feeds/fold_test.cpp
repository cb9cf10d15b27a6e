#include "feeds/fold.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "feeds/simulator/market.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds {
namespace {

using engine::Bar;
using engine::Interval;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23

Interval interval(std::string_view text) { return *Interval::parse(text); }

Bar bar_of(const Interval& length, std::int64_t ordinal, double open, double close, double volume = 1) {
  return {length.open_time_ms(ordinal),
          length.open_time_ms(ordinal + 1),
          open,
          std::max(open, close) + 1,
          std::min(open, close) - 1,
          close,
          volume};
}

/// Some random bar of the slot.
Bar random_bar(const Interval& length, std::int64_t ordinal, std::mt19937& random) {
  std::uniform_int_distribution<int> price(50, 150), volume(0, 9);
  return bar_of(length, ordinal, price(random), price(random), volume(random));
}

/// The definition, slot by slot.
std::map<std::int64_t, Bar> naive_fold(const std::vector<Bar>& parts, const Interval& target) {
  std::map<std::int64_t, std::vector<Bar>> slots;
  for (const Bar& part : parts) slots[target.ordinal(part.open_time_ms)].push_back(part);
  std::map<std::int64_t, Bar> folded;
  for (const auto& [slot, held] : slots) {
    Bar bar{target.open_time_ms(slot),
            target.open_time_ms(slot + 1),
            held.front().open,
            held.front().high,
            held.front().low,
            held.back().close,
            0};
    for (const Bar& part : held) {
      bar.high = std::max(bar.high, part.high);
      bar.low = std::min(bar.low, part.low);
      bar.volume += part.volume;
    }
    folded[slot] = bar;
  }
  return folded;
}

struct Fold10 {
  const Interval base = interval("1m"), target = interval("10m");
  const std::int64_t first = base.ordinal(kMondayMs);
  FrameFold fold{base, target};

  Bar minute(std::int64_t part, double close = 100) const { return bar_of(base, first + part, 99, close); }
  std::optional<Kline> closed(const Bar& bar) { return fold.take({"BTCUSDT", "1m", bar, 77, true}); }
  std::optional<Kline> forming(const Bar& bar) { return fold.take({"BTCUSDT", "1m", bar, 77, false}); }
  /// Closes parts [from, to); what the last one came to.
  std::optional<Kline> run(std::int64_t from, std::int64_t to) {
    std::optional<Kline> last;
    for (std::int64_t part = from; part < to; ++part)
      last = closed(minute(part, 100 + static_cast<double>(part)));
    return last;
  }
};

TEST(FrameFold, ClosesABarWithTheLastOfAllItsParts) {
  Fold10 ten;
  for (std::int64_t part = 0; part < 9; ++part) {
    const auto told = ten.closed(ten.minute(part, 100 + static_cast<double>(part)));
    ASSERT_TRUE(told.has_value());
    EXPECT_FALSE(told->closed) << part;
    EXPECT_TRUE(ten.fold.whole());
  }
  const auto told = ten.closed(ten.minute(9, 60));
  ASSERT_TRUE(told && told->closed);
  EXPECT_EQ(told->symbol, "BTCUSDT");
  EXPECT_EQ(told->interval, "10m");
  EXPECT_EQ(told->event_time_ms, 77);
  EXPECT_EQ(told->bar, (Bar{kMondayMs, kMondayMs + 10 * kMinuteMs, 99, 109, 59, 60, 10}));
  EXPECT_FALSE(ten.closed(ten.minute(9, 60))) << "the same once more, as while a connection is handed over";
  EXPECT_TRUE(ten.run(10, 20)->closed) << "and the next";
}

TEST(FrameFold, TheRunningBarHasTheRunningPart) {
  Fold10 ten;
  EXPECT_EQ(ten.forming(ten.minute(0, 120))->bar.close, 120);
  EXPECT_TRUE(ten.fold.whole());
  ten.run(0, 3);
  const auto told = ten.forming(ten.minute(3, 250));
  EXPECT_FALSE(told->closed);
  EXPECT_EQ(told->bar, (Bar{kMondayMs, kMondayMs + 10 * kMinuteMs, 99, 251, 98, 250, 4}));
  EXPECT_TRUE(ten.fold.whole());
  EXPECT_EQ(ten.forming(ten.minute(3, 103))->bar.high, 104) << "what a part was before does not stay";
  EXPECT_FALSE(ten.forming(ten.minute(2, 500))) << "of the past";
}

TEST(FrameFold, ABarThatBeganBeforeUsIsNotClosedHere) {
  Fold10 ten;
  ten.forming(ten.minute(4));
  EXPECT_FALSE(ten.fold.whole());
  EXPECT_FALSE(ten.run(4, 10)->closed);
  EXPECT_FALSE(ten.fold.whole());
  EXPECT_TRUE(ten.run(10, 20)->closed) << "the next one is";
}

TEST(FrameFold, ABarWithAMissingPartIsNotClosedHere) {
  for (const std::int64_t missing : {10, 13, 19}) {
    Fold10 ten;
    ten.run(0, 10);
    ten.run(10, missing);
    const auto told = ten.run(missing + 1, missing == 19 ? 21 : 20);
    ASSERT_TRUE(told.has_value()) << "the series has to see that time goes on";
    EXPECT_FALSE(told->closed) << missing;
    EXPECT_EQ(ten.fold.whole(), missing == 19) << missing;
    EXPECT_FALSE(ten.run(missing == 19 ? 21 : 20, 29)->closed);
    EXPECT_TRUE(ten.closed(ten.minute(29))->closed);
  }
}

TEST(FrameFold, ACorrectionOfTheNewestPartCorrectsTheBar) {
  Fold10 ten;
  ten.run(0, 5);
  ten.closed(ten.minute(4, 300));
  const auto told = ten.run(5, 10);
  ASSERT_TRUE(told->closed);
  EXPECT_EQ(told->bar.high, 301);
  EXPECT_EQ(told->bar.volume, 10) << "counted once";
  const auto again = ten.closed(ten.minute(9, 400));
  ASSERT_TRUE(again && again->closed) << "the closed bar once more";
  EXPECT_EQ(again->bar.close, 400);
  EXPECT_EQ(again->bar.volume, 10);
}

TEST(FrameFold, AnOlderPartToldAgainLeavesTheBarToRest) {
  Fold10 ten;
  ten.run(0, 5);
  EXPECT_FALSE(ten.closed(ten.minute(2, 300)));
  EXPECT_FALSE(ten.fold.take_doubt()) << "the bar is still running: REST will close it";
  EXPECT_FALSE(ten.run(5, 10)->closed);
  ten.run(10, 20);
  EXPECT_FALSE(ten.closed(ten.minute(15, 300)));
  EXPECT_TRUE(ten.fold.take_doubt()) << "it was closed already";
  EXPECT_FALSE(ten.fold.take_doubt()) << "said once";
  ten.run(20, 25);
  EXPECT_FALSE(ten.closed(ten.minute(19, 300))) << "its successor runs";
  EXPECT_TRUE(ten.fold.take_doubt());
  EXPECT_TRUE(ten.run(25, 30)->closed) << "which is as good as before";
}

/// Not all of the slot was heard, so REST has closed it, or will.
TEST(FrameFold, TheLastPartOfAHoledSlotToldAgainLeavesTheBarToRestToo) {
  Fold10 ten;
  ten.run(0, 3);
  EXPECT_FALSE(ten.run(4, 10)->closed);
  EXPECT_FALSE(ten.closed(ten.minute(9, 109)));
  EXPECT_FALSE(ten.fold.take_doubt()) << "the same once more";
  EXPECT_FALSE(ten.closed(ten.minute(9, 400))->closed);
  EXPECT_TRUE(ten.fold.take_doubt());
  ten.run(10, 15);
  EXPECT_FALSE(ten.closed(ten.minute(14, 400))->closed);
  EXPECT_FALSE(ten.fold.take_doubt()) << "nothing is missing";
  ten.run(20, 22);
  ten.run(23, 25);
  EXPECT_FALSE(ten.closed(ten.minute(24, 400))->closed);
  EXPECT_FALSE(ten.fold.take_doubt()) << "the slot still runs";
}

TEST(FrameFold, AfterAPartFromTheFutureItBeginsAnewAndKeepsItsDoubt) {
  const Interval base = interval("5m"), target = interval("10m");
  FrameFold fold(base, target);
  const std::int64_t first = base.ordinal(kMondayMs), future = first + 10'000'000;
  const auto closed = [&](std::int64_t part) {
    return fold.take({"BTCUSDT", "5m", bar_of(base, part, 100, 101), 0, true});
  };
  EXPECT_EQ(fold.end_ms(), 0);
  EXPECT_TRUE(closed(future));
  EXPECT_FALSE(closed(first)) << "it seems to be of the past";
  EXPECT_EQ(fold.end_ms(), base.open_time_ms(future + 1));
  fold.begin_anew();
  EXPECT_EQ(fold.end_ms(), 0);
  const auto running = closed(first);
  ASSERT_TRUE(running);
  EXPECT_FALSE(running->closed);
  const auto whole = closed(first + 1);
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->closed);
  EXPECT_EQ(whole->bar.open_time_ms, kMondayMs);
  EXPECT_TRUE(fold.take_doubt());
  EXPECT_FALSE(fold.take_doubt());
}

TEST(FrameFold, WeeksMonthsAndSeveralDaysHaveTheirOwnBoundaries) {
  for (const auto& [base_text, target_text] :
       std::vector<std::pair<const char*, const char*>>{{"1d", "1w"},
                                                        {"1d", "1M"},
                                                        {"4h", "2w"},
                                                        {"1d", "2d"},
                                                        {"12h", "3d"},
                                                        {"1M", "3M"},
                                                        {"1w", "2w"}}) {
    const Interval base = interval(base_text), target = interval(target_text);
    FrameFold fold(base, target);
    std::vector<Bar> closed;
    std::mt19937 random(5);
    std::vector<Bar> parts;
    const std::int64_t from = base.ordinal(kMondayMs);
    const std::int64_t to = base.ordinal(target.open_time_ms(target.ordinal(kMondayMs) + 14));
    for (std::int64_t part = from; part < to; ++part) {
      parts.push_back(random_bar(base, part, random));
      const auto told = fold.take({"X", base_text, parts.back(), 0, true});
      if (told && told->closed) closed.push_back(told->bar);
    }
    auto expected = naive_fold(parts, target);
    if (!target.is_boundary(parts.front().open_time_ms)) expected.erase(expected.begin());
    ASSERT_GE(expected.size(), 13U) << target_text;
    ASSERT_EQ(closed.size(), expected.size()) << target_text;
    std::size_t at = 0;
    for (const auto& [slot, bar] : expected) EXPECT_EQ(closed[at++], bar) << target_text;
  }
}

TEST(FrameFold, WhateverFramesComeABarThatIsClosedIsTheNaiveFoldOfAllItsParts) {
  std::mt19937 random(20261123);
  std::size_t closed_bars = 0, slots_with_holes = 0;
  for (int round = 0; round < 300; ++round) {
    const Interval base = interval("1m"), target = interval(round % 2 == 0 ? "3m" : "7m");
    FrameFold fold(base, target);
    std::map<std::int64_t, Bar> truth;  // as last told, by the base's ordinal
    std::map<std::int64_t, Bar> closed;
    std::int64_t part = base.ordinal(kMondayMs) + static_cast<std::int64_t>(random() % 10);
    const auto take = [&](const Bar& bar, bool is_closed) {
      const auto told = fold.take({"X", "1m", bar, 0, is_closed});
      if (told && told->closed) closed[target.ordinal(told->bar.open_time_ms)] = told->bar;
    };
    for (int step = 0; step < 200; ++step) {
      const auto what = random() % 20;
      if (what == 0) {
        part += 1 + static_cast<std::int64_t>(random() % 9);  // a hole
      } else if (what < 4 && !truth.empty()) {
        take(truth.rbegin()->second, true);  // a duplicate
      } else if (what == 4 && !truth.empty()) {
        const std::int64_t newest = truth.rbegin()->first;
        truth[newest] = random_bar(base, newest, random);  // a correction
        take(truth[newest], true);
      } else if (what < 10) {
        take(random_bar(base, part, random), false);
      } else {
        truth[part] = random_bar(base, part, random);
        take(truth[part], true);
        ++part;
      }
    }
    std::vector<Bar> parts;
    for (const auto& [ordinal, bar] : truth) parts.push_back(bar);
    const auto expected = naive_fold(parts, target);
    for (const auto& [slot, bar] : expected) {
      const std::int64_t first = base.ordinal(target.open_time_ms(slot));
      const std::int64_t end = base.ordinal(target.open_time_ms(slot + 1));
      std::int64_t held = 0;
      for (std::int64_t each = first; each < end; ++each) held += truth.contains(each) ? 1 : 0;
      const bool all = held == end - first;
      EXPECT_EQ(closed.contains(slot), all) << "closed exactly where nothing is missing";
      if (all) {
        EXPECT_EQ(closed[slot], bar);
      }
      (all ? closed_bars : slots_with_holes) += 1;
      // REST has the rows that exist; folded they decide about the others.
      const std::vector<Bar> rows = fold_rows(parts, target);
      const std::int64_t open_ms = bar.open_time_ms;
      const auto row = std::find_if(rows.begin(), rows.end(),
                                    [&](const Bar& each) { return each.open_time_ms == open_ms; });
      ASSERT_NE(row, rows.end());
      EXPECT_EQ(*row, bar);
    }
  }
  EXPECT_GT(closed_bars, 1000U);
  EXPECT_GT(slots_with_holes, 1000U);
}

TEST(FoldRows, EqualsTheSimulatorsOwnLongerBars) {
  const simulator::Market market(simulator::first_symbols(25), {7, 0.2});
  const std::int64_t later_ms = kMondayMs + 400LL * 86'400'000;
  for (const auto& [base, target, count] :
       std::vector<std::tuple<const char*, const char*, std::int64_t>>{{"1m", "1h", 30},
                                                                       {"1m", "4h", 8},
                                                                       {"1m", "1d", 3},
                                                                       {"1m", "1w", 2},
                                                                       {"1m", "1M", 1},
                                                                       {"1h", "4h", 20},
                                                                       {"1h", "1d", 20},
                                                                       {"1h", "1w", 8},
                                                                       {"1h", "1M", 3},
                                                                       {"1d", "1M", 5},
                                                                       {"1h", "3d", 5}}) {
    const Interval length = interval(target);
    const std::int64_t from = length.ordinal(kMondayMs);
    const std::int64_t from_ms = length.open_time_ms(from), to_ms = length.open_time_ms(from + count);
    const auto rows = [&](const char* text) {
      std::vector<Bar> bars;
      for (const auto& each : market.klines({3, interval(text), from_ms, to_ms - 1, 1'000'000, later_ms}))
        bars.push_back(each.bar);
      return bars;
    };
    const std::vector<Bar> folded = fold_rows(rows(base), length), own = rows(target);
    ASSERT_EQ(own.size(), static_cast<std::size_t>(count));
    EXPECT_EQ(folded, own) << target << " from " << base;
  }
}

// ---- recorded bars

std::vector<Bar> read_bars(const std::string& name, const Interval& length) {
  const std::string path = std::string(ATCD_SHARED_DIR) + "/data/ohlcv/" + name + ".csv.gz";
  std::vector<Bar> bars;
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return bars;
  std::array<char, 512> line{};
  while (gzgets(file, line.data(), static_cast<int>(line.size())) != nullptr) {
    Bar bar;
    long long open_ms = 0;
    if (std::sscanf(line.data(), "%lld,%lf,%lf,%lf,%lf,%lf", &open_ms, &bar.open, &bar.high, &bar.low,
                    &bar.close, &bar.volume) != 6)
      continue;  // the header
    bar.open_time_ms = open_ms;
    bar.close_time_ms = length.close_time_ms(open_ms);
    bars.push_back(bar);
  }
  gzclose(file);
  return bars;
}

TEST(FoldRows, EqualsTheExchangesOwnRecordedLongerBars) {
  struct Pair {
    const char *base, *base_text, *target, *target_text;
    std::size_t least;
  };
  const std::vector<Pair> pairs = {
      {"bybit_cobra0506/ADAUSDT-1m", "1m", "bybit_cobra0506/ADAUSDT-5m", "5m", 8000},
      {"bybit_cobra0506/ADAUSDT-1m", "1m", "bybit_cobra0506/ADAUSDT-15m", "15m", 2800},
      {"bybit_cobra0506/ADAUSDT-5m", "5m", "bybit_cobra0506/ADAUSDT-15m", "15m", 2800},
      {"bybit_cobra0506/DOGEUSDT-1m", "1m", "bybit_cobra0506/DOGEUSDT-5m", "5m", 8000},
      {"bybit_cobra0506/DOGEUSDT-5m", "5m", "bybit_cobra0506/DOGEUSDT-15m", "15m", 2800},
      {"bybit_cobra0506/BTCUSDT-5m", "5m", "bybit_cobra0506/BTCUSDT-15m", "15m", 8600},
      {"bybit_cobra0506/ETHUSDT-5m", "5m", "bybit_cobra0506/ETHUSDT-15m", "15m", 8600},
      {"bybit_cobra0506/BNBUSDT-5m", "5m", "bybit_cobra0506/BNBUSDT-15m", "15m", 8600},
      {"pinets_binance/BTCUSDC-4h", "4h", "pinets_binance/BTCUSDC-1d", "1d", 680}};
  if (!std::filesystem::exists(std::string(ATCD_SHARED_DIR) + "/data/ohlcv")) {
    GTEST_SKIP() << "skipped: no recorded bars in " << ATCD_SHARED_DIR << "/data/ohlcv";
  }
  for (const Pair& pair : pairs) {
    const Interval base = interval(pair.base_text), target = interval(pair.target_text);
    const std::vector<Bar> parts = read_bars(pair.base, base);
    std::size_t compared = 0;
    std::map<std::int64_t, Bar> own;
    for (const Bar& bar : read_bars(pair.target, target)) own[bar.open_time_ms] = bar;
    const std::vector<Bar> folded = fold_rows(parts, target);
    for (std::size_t i = 1; i + 1 < folded.size(); ++i) {  // the first and the last may be cut off
      const auto found = own.find(folded[i].open_time_ms);
      if (found == own.end()) continue;
      ++compared;
      const Bar& bar = found->second;
      EXPECT_EQ(std::tie(folded[i].open, folded[i].high, folded[i].low, folded[i].close),
                std::tie(bar.open, bar.high, bar.low, bar.close))
          << pair.target << " at " << bar.open_time_ms;
      EXPECT_NEAR(folded[i].volume, bar.volume, 1e-9 * bar.volume)
          << pair.target << " at " << bar.open_time_ms;
    }
    EXPECT_GE(compared, pair.least) << pair.target;
  }
}

}  // namespace
}  // namespace atcd::feeds
