#pragma once

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "engine/bar.hpp"

namespace atcd::state {

inline constexpr std::int64_t kMinuteMs = 60'000;

/// Bars of a minute, one after the other, from bar number `first` on: the same number is always the same bar
/// of a seed.
inline std::vector<engine::Bar> some_bars(std::size_t count, int seed, std::int64_t first = 28'000'000) {
  std::vector<engine::Bar> bars;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t number = first + static_cast<std::int64_t>(i);
    std::mt19937_64 random(static_cast<std::uint64_t>(number * 1000 + seed));
    const auto cents = [&random](std::int64_t from, std::uint64_t width) {
      return from + static_cast<std::int64_t>(random() % width);
    };
    const std::int64_t open = cents(100'000, 4000), close = cents(100'000, 4000);
    const std::int64_t high = std::max(open, close) + cents(0, 90),
                       low = std::min(open, close) - cents(0, 90);
    const auto price = [](std::int64_t value) { return static_cast<double>(value) / 100; };
    bars.push_back({number * kMinuteMs, (number + 1) * kMinuteMs, price(open), price(high), price(low),
                    price(close), static_cast<double>(cents(0, 1'000'000'000)) / 1e5});
  }
  return bars;
}

/// A file of ../shared/data/ohlcv. close_time_ms is the next row's open.
inline std::vector<engine::Bar> read_real_bars(const std::string& path) {
  std::string text;
  gzFile file = gzopen(path.c_str(), "rb");
  std::array<char, 65536> buffer;
  for (int got = 0; (got = gzread(file, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  gzclose(file);
  std::vector<engine::Bar> bars;
  for (std::size_t at = text.find('\n') + 1; at < text.size();) {
    const char* next = text.c_str() + at;
    char* end = nullptr;
    engine::Bar bar;
    bar.open_time_ms = std::strtoll(next, &end, 10);
    for (double* value : {&bar.open, &bar.high, &bar.low, &bar.close, &bar.volume}) {
      *value = std::strtod(end + 1, &end);
    }
    bars.push_back(bar);
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  }
  std::int64_t step = 0;
  for (std::size_t i = 0; i < bars.size(); ++i) {
    if (i + 1 < bars.size()) step = bars[i + 1].open_time_ms - bars[i].open_time_ms;
    bars[i].close_time_ms = bars[i].open_time_ms + step;
  }
  return bars;
}

}  // namespace atcd::state
