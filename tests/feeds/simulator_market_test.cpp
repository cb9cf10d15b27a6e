#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "feeds/simulator/market.hpp"

namespace atcd::feeds::simulator {
namespace {

using engine::Interval;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23
constexpr std::int64_t kLaterMs = kMondayMs + 400LL * 86'400'000;

Interval interval(std::string_view text) { return *Interval::parse(text); }

Market market_of(std::uint64_t seed, double quiet_share = 0) {
  return Market(first_symbols(25), {seed, quiet_share});
}

/// The rows of `length` that begin in [from, to), as the market gives them.
std::vector<Kline> rows(const Market& market, std::size_t symbol, std::string_view length,
                        std::int64_t from_ms, std::int64_t to_ms, std::int64_t now_ms = kLaterMs) {
  return market.klines({symbol, interval(length), from_ms, to_ms - 1, 1'000'000, now_ms});
}

engine::Bar fold(const std::vector<Kline>& minutes) {
  engine::Bar bar = minutes.front().bar;
  for (const Kline& minute : minutes) {
    bar.high = std::max(bar.high, minute.bar.high);
    bar.low = std::min(bar.low, minute.bar.low);
    bar.close = minute.bar.close;
    if (&minute != &minutes.front()) bar.volume += minute.bar.volume;
  }
  return bar;
}

TEST(SimulatorMarket, gives_a_bar_the_same_bits_alone_and_in_a_page) {
  const Market market = market_of(7);
  const auto page = rows(market, 0, "1m", kMondayMs, kMondayMs + 500 * kMinuteMs);
  ASSERT_EQ(page.size(), 500U);
  for (std::size_t i = 0; i < page.size(); i += 37) {
    const auto alone =
        market.kline(0, interval("1m"), kMondayMs + static_cast<std::int64_t>(i) * kMinuteMs + 1, kLaterMs);
    ASSERT_TRUE(alone.has_value());
    EXPECT_EQ(alone->bar, page[i].bar);
    EXPECT_EQ(alone->trades, page[i].trades);
  }
}

TEST(SimulatorMarket, gives_any_time_the_same_price_by_any_path) {
  LogPrice sequential(42);
  std::vector<double> forward;
  for (std::int64_t i = 0; i < 3000; ++i) forward.push_back(sequential.at(kMondayMs + i * 7'250));
  for (std::int64_t i = 2999; i >= 0; --i) {
    LogPrice fresh(42);
    ASSERT_EQ(fresh.at(kMondayMs + i * 7'250), forward[static_cast<std::size_t>(i)]);
    ASSERT_EQ(sequential.at(kMondayMs + i * 7'250), forward[static_cast<std::size_t>(i)]);
  }
}

TEST(SimulatorMarket, does_not_jump_between_the_cells_of_its_noise) {
  LogPrice path(42);
  double before = path.at(kMondayMs);
  for (std::int64_t ms = 250; ms < 40 * kMinuteMs; ms += 250) {
    const double now = path.at(kMondayMs + ms);
    ASSERT_LT(std::abs(now - before), 0.001) << ms;
    before = now;
  }
}

TEST(SimulatorMarket, makes_longer_bars_exactly_of_its_minutes) {
  for (const double quiet_share : {0.0, 0.4}) {
    const Market market = market_of(3, quiet_share);
    for (const std::string_view length : {"3m", "5m", "15m", "1h", "4h", "1d", "1w"}) {
      const auto longer = rows(market, 2, length, kMondayMs, kMondayMs + 14LL * 86'400'000);
      ASSERT_FALSE(longer.empty());
      for (std::size_t i = 0; i < longer.size(); i += 1 + longer.size() / 5) {
        const engine::Bar& bar = longer[i].bar;
        engine::Bar folded = fold(rows(market, 2, "1m", bar.open_time_ms, bar.close_time_ms));
        folded.close_time_ms = bar.close_time_ms;
        EXPECT_EQ(folded, bar) << length << " at " << bar.open_time_ms;
      }
    }
  }
}

TEST(SimulatorMarket, is_another_market_with_another_seed_and_for_another_symbol) {
  const Market one = market_of(1), two = market_of(2), again = market_of(1);
  for (std::size_t symbol = 0; symbol < 25; ++symbol) {
    const auto a = rows(one, symbol, "1m", kMondayMs, kMondayMs + 30 * kMinuteMs);
    const auto b = rows(two, symbol, "1m", kMondayMs, kMondayMs + 30 * kMinuteMs);
    const auto c = rows(again, symbol, "1m", kMondayMs, kMondayMs + 30 * kMinuteMs);
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_NE(a[i].bar, b[i].bar);
      EXPECT_EQ(a[i].bar, c[i].bar);
    }
  }
  EXPECT_NE(rows(one, 20, "1m", kMondayMs, kMondayMs + kMinuteMs)[0].bar.volume,
            rows(one, 21, "1m", kMondayMs, kMondayMs + kMinuteMs)[0].bar.volume);
}

TEST(SimulatorMarket, does_not_depend_on_which_other_symbols_there_are) {
  const Market many = market_of(1);
  const Market alone({*make_symbol("SOLUSDT")}, {1, 0});
  const auto index = many.find("SOLUSDT");
  ASSERT_TRUE(index.has_value());
  EXPECT_EQ(rows(many, *index, "1h", kMondayMs, kMondayMs + 3'600'000)[0].bar,
            rows(alone, 0, "1h", kMondayMs, kMondayMs + 3'600'000)[0].bar);
}

TEST(SimulatorMarket, has_valid_bars_of_whole_ticks_and_lots) {
  const Market market = market_of(11, 0.2);
  for (std::size_t symbol = 0; symbol < market.symbols().size(); ++symbol) {
    const MarketSymbol& about = market.symbols()[symbol];
    for (const std::string_view length : {"1s", "1m", "1h"}) {
      const auto page = rows(market, symbol, length, kMondayMs, kMondayMs + 3'600'000);
      ASSERT_FALSE(page.empty());
      for (const Kline& row : page) {
        ASSERT_TRUE(engine::is_valid(row.bar)) << about.symbol;
        for (const double price : {row.bar.open, row.bar.high, row.bar.low, row.bar.close}) {
          const std::int64_t price_e8 = std::llround(price * 1e8);
          ASSERT_EQ(price_e8 % about.tick_e8, 0) << about.symbol << " " << price;
          ASSERT_EQ(static_cast<double>(price_e8) / 1e8, price);
          ASSERT_GT(price, about.price / 4);
          ASSERT_LT(price, about.price * 4);
        }
        const double lots = row.bar.volume / (static_cast<double>(about.lot_e8) / 1e8);
        ASSERT_EQ(lots, std::floor(lots));
        ASSERT_LE(row.taker_volume, row.bar.volume);
      }
    }
  }
}

TEST(SimulatorMarket, moves_within_a_minute_and_over_the_months) {
  const Market market = market_of(5);
  const auto minutes = rows(market, 0, "1m", kMondayMs, kMondayMs + 1000 * kMinuteMs);
  const auto moving = std::count_if(minutes.begin(), minutes.end(),
                                    [](const Kline& row) { return row.bar.high > row.bar.low; });
  EXPECT_GT(moving, 990);
  std::set<double> closes;
  for (const Kline& day : rows(market, 0, "1d", kMondayMs, kMondayMs + 100LL * 86'400'000))
    closes.insert(day.bar.close);
  EXPECT_EQ(closes.size(), 100U);
  EXPECT_GT(*closes.rbegin() / *closes.begin(), 1.02);
}

TEST(SimulatorMarket, shows_the_running_bar_as_far_as_it_has_come) {
  const Market market = market_of(5);
  const auto whole = market.kline(0, interval("1m"), kMondayMs, kLaterMs);
  RunningBar running(market, 0, interval("1m"), kMondayMs);
  EXPECT_TRUE(running.empty());
  std::set<double> volumes;
  for (std::int64_t ms = 0; ms < 100'000; ms += 1'000) {
    running.extend(kMondayMs + ms);
    const auto afresh = market.kline(0, interval("1m"), kMondayMs, kMondayMs + ms);
    ASSERT_TRUE(afresh.has_value());
    EXPECT_EQ(running.kline().bar, afresh->bar) << ms;
    volumes.insert(afresh->bar.volume);
  }
  EXPECT_EQ(running.kline().bar, whole->bar);
  EXPECT_EQ(volumes.size(), 6U) << "one trade each ten seconds";
}

TEST(SimulatorMarket, has_no_bars_before_the_listing) {
  std::vector<MarketSymbol> symbols = first_symbols(1);
  symbols[0].listed_ms = kMondayMs + 90 * kMinuteMs - 5;  // rounded up to the minute
  const Market market(symbols, {});
  const std::int64_t listed_ms = kMondayMs + 90 * kMinuteMs;
  const auto minutes = rows(market, 0, "1m", 0, kMondayMs + 100 * kMinuteMs);
  ASSERT_EQ(minutes.size(), 10U);
  EXPECT_EQ(minutes[0].bar.open_time_ms, listed_ms);
  const auto hours = rows(market, 0, "1h", 0, kMondayMs + 180 * kMinuteMs);
  ASSERT_EQ(hours.size(), 2U) << "the hour of the listing is there, with what was traded in it";
  engine::Bar folded = fold(rows(market, 0, "1m", listed_ms, kMondayMs + 120 * kMinuteMs));
  folded.open_time_ms = hours[0].bar.open_time_ms;
  folded.close_time_ms = hours[0].bar.close_time_ms;
  EXPECT_EQ(hours[0].bar, folded);
  EXPECT_FALSE(market.kline(0, interval("1m"), listed_ms - 1, kLaterMs).has_value());
  EXPECT_FALSE(market.trading(0, listed_ms - 1));
  EXPECT_TRUE(market.klines({0, interval("1m"), {}, kMondayMs, 10, kLaterMs}).empty());
}

TEST(SimulatorMarket, gives_the_newest_rows_without_a_start) {
  const Market market = market_of(5);
  const std::int64_t now_ms = kMondayMs + 10 * kMinuteMs + 31'000;
  const auto newest = market.klines({0, interval("1m"), {}, now_ms, 5, now_ms});
  const auto same = rows(market, 0, "1m", kMondayMs + 6 * kMinuteMs, now_ms + 1, now_ms);
  ASSERT_EQ(newest.size(), 5U);
  ASSERT_EQ(same.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(newest[i].bar, same[i].bar);
  EXPECT_EQ(newest.back().bar.open_time_ms, kMondayMs + 10 * kMinuteMs) << "the last one is running";
  EXPECT_TRUE(rows(market, 0, "1m", now_ms + kMinuteMs, now_ms + 9 * kMinuteMs, now_ms).empty());
}

TEST(SimulatorMarket, has_no_bars_while_halted_and_goes_on_when_resumed) {
  Market market = market_of(5);
  market.halt(0, kMondayMs + 5 * kMinuteMs + 15'000);
  EXPECT_FALSE(market.trading(0, kMondayMs + 6 * kMinuteMs));
  EXPECT_EQ(rows(market, 0, "1m", kMondayMs, kMondayMs + 60 * kMinuteMs).size(), 6U);
  EXPECT_EQ(market.klines({0, interval("1m"), {}, kLaterMs, 3, kLaterMs}).back().bar.open_time_ms,
            kMondayMs + 5 * kMinuteMs);
  market.resume(0, kMondayMs + 20 * kMinuteMs + 30'000);
  EXPECT_TRUE(market.trading(0, kMondayMs + 21 * kMinuteMs));
  const auto minutes = rows(market, 0, "1m", kMondayMs, kMondayMs + 30 * kMinuteMs);
  ASSERT_EQ(minutes.size(), 16U) << "six before, ten from the minute in which trade went on";
  EXPECT_EQ(minutes[6].bar.open_time_ms, kMondayMs + 20 * kMinuteMs);
  const engine::Bar hour = rows(market, 0, "1h", kMondayMs, kMondayMs + 60 * kMinuteMs)[0].bar;
  engine::Bar folded = fold(rows(market, 0, "1m", kMondayMs, kMondayMs + 60 * kMinuteMs));
  folded.close_time_ms = hour.close_time_ms;
  EXPECT_EQ(folded, hour);
  EXPECT_EQ(rows(market, 1, "1m", kMondayMs, kMondayMs + 60 * kMinuteMs).size(), 60U) << "others trade on";
}

TEST(SimulatorMarket, holds_the_last_price_through_a_quiet_minute) {
  const Market market = market_of(5, 0.5);
  const auto minutes = rows(market, 0, "1m", kMondayMs, kMondayMs + 1000 * kMinuteMs);
  ASSERT_EQ(minutes.size(), 1000U);
  int quiet = 0;
  for (std::size_t i = 1; i < minutes.size(); ++i) {
    if (minutes[i].trades != 0) continue;
    ++quiet;
    EXPECT_EQ(minutes[i].bar.volume, 0);
    EXPECT_EQ(minutes[i].first_trade, -1);
    EXPECT_EQ(minutes[i].bar.high, minutes[i - 1].bar.close);
    EXPECT_EQ(minutes[i].bar.low, minutes[i - 1].bar.close);
  }
  EXPECT_GT(quiet, 400);
  EXPECT_LT(quiet, 600);
}

TEST(SimulatorMarket, opens_at_the_last_close_where_the_exchange_does) {
  for (const double quiet_share : {0.0, 0.4}) {
    Market market(first_symbols(25), {5, quiet_share, true});
    const Market plain(first_symbols(25), {5, quiet_share});
    market.halt(1, kMondayMs + 20 * kMinuteMs);
    market.resume(1, kMondayMs + 30 * kMinuteMs);
    for (const std::size_t symbol : {0U, 1U, 24U}) {
      for (const char* interval : {"1m", "5m"}) {
        const auto found = rows(market, symbol, interval, kMondayMs, kMondayMs + 60 * kMinuteMs);
        ASSERT_GE(found.size(), 9U);
        for (std::size_t i = 1; i < found.size(); ++i) {
          EXPECT_EQ(found[i].bar.open, found[i - 1].bar.close);
          EXPECT_TRUE(engine::is_valid(found[i].bar));
          if (symbol == 1) continue;  // the other one was not halted
          const auto other = plain.kline(symbol, *engine::Interval::parse(interval),
                                         found[i].bar.open_time_ms, kMondayMs + 60 * kMinuteMs);
          EXPECT_EQ(found[i].bar.close, other->bar.close);
          EXPECT_EQ(found[i].bar.high, std::max(other->bar.high, found[i].bar.open));
        }
      }
    }
  }
}

TEST(SimulatorMarket, numbers_trades_in_order_and_never_twice) {
  const Market market = market_of(5);
  std::int64_t last = 0;
  for (const Kline& row : rows(market, 0, "1m", kMondayMs, kMondayMs + 200 * kMinuteMs)) {
    EXPECT_GT(row.first_trade, last);
    last = row.first_trade + row.trades - 1;
  }
}

TEST(SimulatorSymbols, are_the_known_ones_and_then_numbered_ones) {
  const auto symbols = first_symbols(22);
  EXPECT_EQ(symbols[0].symbol, "BTCUSDT");
  EXPECT_EQ(symbols[0].base, "BTC");
  EXPECT_EQ(symbols[20].symbol, "SIM0021USDT");
  std::set<std::string> names;
  for (const MarketSymbol& symbol : first_symbols(kMaxSymbols)) names.insert(symbol.symbol);
  EXPECT_EQ(names.size(), kMaxSymbols);
  EXPECT_EQ(first_symbols(kMaxSymbols + 1).size(), kMaxSymbols);
  for (const char* bad : {"", "USDT", "btcusdt", "BTC-USDT", "BTCXYZ", "AAAAAAAAAAAAAAAAAAAAAAAAUSDT"})
    EXPECT_FALSE(make_symbol(bad).has_value()) << bad;
  EXPECT_EQ(decimals_of(1), 8);
  EXPECT_EQ(decimals_of(1'000'000), 2);
  EXPECT_EQ(decimals_of(25'000'000), 2);
  EXPECT_EQ(decimals_of(100'000'000), 0);
}

}  // namespace
}  // namespace atcd::feeds::simulator
