#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "daemon/signal_series.hpp"
#include "daemon/verification.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {

using engine::Bar;

inline const engine::SeriesId kId{"binance", "spot", "BTCUSDT", "1m", "default"};
inline constexpr std::int64_t kMinuteMs = 60'000;
inline ProfileConfig small_profile() {
  ProfileConfig profile;
  profile.parameters.lengths = {10, 11, 12, 10, 11, 9};
  profile.anchor.history_bars = 100;
  profile.anchor.anchor_period = 70;
  return profile;
}

/// A walk whose price is a pure function of the slot and the one before.
class Walk {
 public:
  Bar next() {
    price_ = std::max(1.0, price_ * (1 + (static_cast<double>(random_() % 2001) - 1000) * 1e-5));
    price_ = std::round(price_ * 100) / 100;
    const std::int64_t open_ms = slot_++ * kMinuteMs;
    return {open_ms, open_ms + kMinuteMs, price_, price_, price_, price_, 1};
  }

 private:
  std::minstd_rand random_{7};
  std::int64_t slot_ = 30'000'000;
  double price_ = 100;
};

inline std::vector<Bar> walk(std::size_t count) {
  Walk walk;
  std::vector<Bar> bars;
  while (bars.size() < count) bars.push_back(walk.next());
  return bars;
}

inline std::string text(double value) {
  if (std::isnan(value)) return "";
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

inline PublishedEntry entry_of(const ProfileConfig& profile, const Bar& bar, const engine::Signal& signal,
                               std::int64_t anchor_ms, std::int64_t rev = 0) {
  PublishedEntry entry;
  entry.id = std::to_string(bar.close_time_ms) + "-" + std::to_string(rev);
  entry.fields = {{"open_ms", std::to_string(bar.open_time_ms)},
                  {"close_ms", std::to_string(bar.close_time_ms)},
                  {"rev", std::to_string(rev)},
                  {"config", config_hash(profile)},
                  {"close", text(bar.close)},
                  {"average", text(signal.average)},
                  {"trend", std::to_string(signal.trend)},
                  {"previous_trend", std::to_string(signal.previous_trend)},
                  {"trend_since_ms", std::to_string(signal.trend_since_ms)},
                  {"bar_index", std::to_string(signal.bar_index)},
                  {"anchor_ms", std::to_string(anchor_ms)}};
  for (std::size_t family = 0; family < engine::kFamilies; ++family) {
    const std::string name(engine::kFamilyNames[family]);
    entry.fields[name + "_signal"] = text(signal.layer1[family]);
    entry.fields[name + "_equity"] = text(signal.equity[family]);
  }
  return entry;
}

/// What would have been published of the bars, from this one on.
inline std::vector<PublishedEntry> published(const ProfileConfig& profile, const std::vector<Bar>& bars,
                                             std::size_t first, std::int64_t slots_before = 0) {
  const auto plan = std::make_shared<const engine::Plan>(profile.parameters);
  const SignalSeries signals(plan, profile.anchor, *engine::Interval::parse(kId.interval), kId.name());
  SignalSeries::Replay replay(signals);
  const BarHistory history{bars, bars.front().open_time_ms / kMinuteMs - slots_before, {}};
  std::vector<PublishedEntry> entries;
  for (std::size_t i = first; i < bars.size(); ++i) {
    const auto computed = replay.at(history, i);
    if (computed) entries.push_back(entry_of(profile, bars[i], computed->signal, computed->anchor_ms));
  }
  return entries;
}

inline Verification::MoreEntries pages_of(std::vector<PublishedEntry> entries, std::size_t page = 13) {
  auto left = std::make_shared<std::vector<PublishedEntry>>(std::move(entries));
  return [left, page] {
    const auto end = left->begin() + static_cast<std::ptrdiff_t>(std::min(page, left->size()));
    std::vector<PublishedEntry> next(left->begin(), end);
    left->erase(left->begin(), end);
    return next;
  };
}

}  // namespace atcd::daemon
