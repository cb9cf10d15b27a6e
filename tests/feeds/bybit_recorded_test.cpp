// Every recording of Bybit against an independent reading of its text.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <regex>
#include <string>
#include <tuple>
#include <vector>

#include "feeds/bybit.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds {
namespace {

using testing::Parsed;
using Key = std::tuple<std::string, std::string, std::int64_t>;  // symbol, their interval, start
using Prices = std::array<double, 5>;                            // open, close, high, low, volume

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  std::string text;
  std::array<char, 1 << 16> piece{};
  for (int read = 0; (read = gzread(file, piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(read));
  gzclose(file);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::size_t count(const std::string& text, const std::string& piece) {
  std::size_t found = 0;
  for (auto at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) ++found;
  return found;
}

/// The closed bars of a line of v5, by their text.
void read_closed(const std::string& line, std::map<Key, Prices>& closed) {
  static const std::regex topic("\"topic\":\"kline\\.([0-9DWM]+)\\.([^\"]+)\"");
  static const std::regex bar(
      "\"start\":([0-9]+),\"end\":[0-9]+,\"interval\":\"[^\"]+\",\"open\":\"([^\"]+)\",\"close\":\"([^\"]+)"
      "\","
      "\"high\":\"([^\"]+)\",\"low\":\"([^\"]+)\",\"volume\":\"([^\"]+)\",\"turnover\":\"[^\"]+\","
      "\"confirm\":true");
  std::smatch named;
  if (!std::regex_search(line, named, topic)) return;
  for (auto at = std::sregex_iterator(line.begin(), line.end(), bar); at != std::sregex_iterator(); ++at) {
    Prices prices{};
    for (std::size_t i = 0; i < prices.size(); ++i)
      prices[i] = std::strtod((*at)[i + 2].str().c_str(), nullptr);
    closed[{named[2], named[1], std::stoll((*at)[1])}] = prices;
  }
}

TEST(BybitRecorded, EveryClosedBarComesOnceAndNothingIsMalformed) {
  const std::filesystem::path folder = std::filesystem::path(ATCD_SHARED_DIR) / "data/ws/bybit";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the recordings are not at " << folder;
  std::map<FrameKind, std::size_t> kinds;
  std::size_t closed_bars = 0, forming_bars = 0, trades = 0, expected_trades = 0, expected_forming = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().string().ends_with(".jsonl.gz")) continue;
    const auto parser = new_bybit_frame_parser();
    std::map<Key, Prices> expected;
    std::map<Key, std::size_t> seen;
    for (const std::string& line : lines_of(entry.path())) {
      read_closed(line, expected);
      if (line.find("\"topic\":\"publicTrade.") != std::string::npos)
        expected_trades += count(line, "\"p\":");
      if (line.find("\"topic\":\"kline.") != std::string::npos)
        expected_forming += count(line, "\"confirm\":false");
      const Parsed parsed = testing::parse_frame(*parser, line);
      ++kinds[parsed.kind];
      EXPECT_NE(parsed.kind, FrameKind::malformed) << parsed.text << ": " << line;
      trades += parsed.trades.size();
      for (const auto& row : parsed.klines) {
        if (!row.closed) {
          ++forming_bars;
          continue;
        }
        const BybitInterval* known = find_bybit_interval(&BybitInterval::ours, row.interval);
        const Key key{row.symbol, std::string(known->theirs), row.bar.open_time_ms};
        ++seen[key];
        ASSERT_TRUE(expected.contains(key)) << line;
        const Prices prices{row.bar.open, row.bar.close, row.bar.high, row.bar.low, row.bar.volume};
        EXPECT_EQ(prices, expected[key]) << line;
      }
    }
    for (const auto& [key, prices] : expected) EXPECT_EQ(seen[key], 1U) << std::get<0>(key);
    closed_bars += expected.size();
  }
  EXPECT_GE(closed_bars, 3U);
  EXPECT_EQ(forming_bars, expected_forming);
  EXPECT_EQ(trades, expected_trades);
  EXPECT_GT(trades, 50U);
  EXPECT_EQ(kinds[FrameKind::refusal], 1U);
  // Acks of v5: 4, 17 and 7. Those of v2 name their request and have no op; they are ignored, as klineV2 is.
  EXPECT_EQ(kinds[FrameKind::ack], 28U);
  RecordProperty("closed_bars", static_cast<int>(closed_bars));
}

// Each state of a bar that a recorded frame shows is what the trades before it come to: by their time,
// opening at the close before.
TEST(BybitRecorded, BarsAreWhatTheTradesComeTo) {
  const std::filesystem::path folder = std::filesystem::path(ATCD_SHARED_DIR) / "data/ws/bybit";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the recordings are not at " << folder;
  std::size_t compared = 0, with_trades = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().string().ends_with(".jsonl.gz")) continue;
    const auto parser = new_bybit_frame_parser();
    std::map<std::string, std::vector<engine::Bar>> states;  // of the bar behind the last that closed
    for (const std::string& line : lines_of(entry.path())) {
      const Parsed parsed = testing::parse_frame(*parser, line);
      for (const auto& trade : parsed.trades) {
        const auto known = states.find(trade.symbol);
        if (known == states.end()) continue;
        engine::Bar next = known->second.back();
        if (trade.time_ms < next.open_time_ms || trade.time_ms >= next.close_time_ms) continue;
        next.high = std::max(next.high, trade.price);
        next.low = std::min(next.low, trade.price);
        next.close = trade.price;
        next.volume += trade.quantity;
        known->second.push_back(next);
      }
      for (const auto& row : parsed.klines) {
        if (row.interval != "1m") continue;
        if (row.closed) {
          const double open = row.bar.close;
          states[row.symbol] = {
              {row.bar.close_time_ms, row.bar.close_time_ms + 60'000, open, open, open, open, 0}};
          continue;
        }
        const auto known = states.find(row.symbol);
        if (known == states.end()) continue;
        EXPECT_TRUE(std::any_of(known->second.begin(), known->second.end(), [&](engine::Bar state) {
          if (std::abs(state.volume - row.bar.volume) > 1e-9) return false;  // of a sum
          state.volume = row.bar.volume;
          return state == row.bar;
        })) << line;
        ++compared;
        with_trades += row.bar.volume > 0 ? 1 : 0;
      }
    }
  }
  EXPECT_GE(compared, 30U);
  EXPECT_GE(with_trades, 30U);
}

}  // namespace
}  // namespace atcd::feeds
