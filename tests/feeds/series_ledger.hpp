#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "feeds/series.hpp"

namespace atcd::feeds::testing::ledger {

using engine::Bar;
using engine::Interval;

inline constexpr std::int64_t kMinuteMs = 60'000;
inline constexpr std::int64_t kStartMs = 1'700'000'040'000;  // a minute boundary
inline constexpr std::int64_t kFirstSlot = -60;              // of the exchange's history
inline const Interval kMinute(1, Interval::Unit::minute);

inline std::int64_t open_of(std::int64_t slot) { return kStartMs + slot * kMinuteMs; }
inline std::int64_t slot_of(const Bar& bar) { return (bar.open_time_ms - kStartMs) / kMinuteMs; }

inline Bar bar_at(std::int64_t slot, double close) {
  return {open_of(slot), open_of(slot + 1), close, close + 1, close - 1, close, 5};
}

/// What a slot's bar is and was. Prices tell which: a running bar has another than any closed one.
struct Truth {
  bool present = true;
  int versions = 0;       // corrections
  bool unusable = false;  // not present: the frame was refused, and the row that REST tells is no bar
  static constexpr double kRunning = 77;
};

/// Takes what the series tells and holds it against the truth at once.
class Ledger final : public SeriesHandler {
 public:
  explicit Ledger(const std::deque<Truth>& truth) : truth_(truth) {}

  void on_bar(const Bar& bar, std::int64_t) override {
    const std::int64_t slot = slot_of(bar);
    ASSERT_EQ(kMinute.ordinal(bar.open_time_ms) * kMinuteMs, bar.open_time_ms);
    for (std::int64_t between = told.empty() ? 0 : slot_of(told.back()) + 1; between < slot; ++between)
      EXPECT_FALSE(of(between).present) << "slot " << between << " was left out before " << slot;
    if (!told.empty()) {
      EXPECT_GT(slot, slot_of(told.back())) << "told twice or out of order";
    }
    expect_final(bar);
    told.push_back(bar);
    if (answering) closed_by_rest = slot;
  }
  void on_correction(const Bar& before, const Bar& now, std::int64_t) override {
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(before, told.back()) << "only the newest bar is corrected";
    EXPECT_TRUE(!answering || slot_of(before) == closed_by_rest) << "what was published outranks REST";
    expect_final(now);
    told.back() = now;
    ++corrections;
  }
  void on_conflict(const Bar& used, const Bar& other) override {
    EXPECT_EQ(used.open_time_ms, other.open_time_ms);
    expect_final(other);
    ++conflicts;
  }
  void on_state(SeriesState state, std::string_view) override {
    if (state != SeriesState::live) return;
    EXPECT_FALSE(series->has_pending()) << "live while bars wait";
    if (!honest) return;
    // What had closed when the stream came up, and settled when REST was asked after that.
    for (std::int64_t slot = told.empty() ? 0 : slot_of(told.back()) + 1; slot < closed_before; ++slot)
      EXPECT_FALSE(of(slot).present) << "live without slot " << slot;
  }
  void on_earlier(std::span<const Bar> bars, std::int64_t covered_from_ms) override {
    std::vector<std::int64_t> wanted, found;
    for (std::int64_t slot = (covered_from_ms - kStartMs) / kMinuteMs; slot < earliest; ++slot) {
      if (of(slot).present) wanted.push_back(slot);
    }
    for (const Bar& bar : bars) {
      found.push_back(slot_of(bar));
      expect_final(bar);
    }
    EXPECT_EQ(found, wanted);
    earliest = (covered_from_ms - kStartMs) / kMinuteMs;
  }
  void on_covered() override {}
  void fetch(std::int64_t from_ms, std::int64_t to_ms, int) override {
    EXPECT_LE(from_ms, to_ms);
    if (asked) {
      EXPECT_LT(asked->second, from_ms) << "only a page of the past is overtaken";
      overtaken.push_back(*asked);
    }
    asked = {from_ms, to_ms};
    asked_at_ms = now_ms;
  }
  void resubscribe() override {}
  void ask_listing() override {}

  std::vector<Bar> told;
  std::int64_t earliest = 0;  // slot
  std::optional<std::pair<std::int64_t, std::int64_t>> asked;
  std::deque<std::pair<std::int64_t, std::int64_t>> overtaken;  // their answers come too
  std::int64_t now_ms = 0, asked_at_ms = 0;
  int corrections = 0, conflicts = 0;
  const Series* series = nullptr;
  bool answering = false;            // REST is
  std::int64_t closed_by_rest = -1;  // the last slot
  bool honest = false;               // REST left out nothing since the stream came up
  std::int64_t closed_before = 0;    // slot: that of the stream's coming up

 private:
  const Truth& of(std::int64_t slot) const { return truth_[static_cast<std::size_t>(slot - kFirstSlot)]; }
  void expect_final(const Bar& bar) const {
    EXPECT_TRUE(of(slot_of(bar)).present);
    EXPECT_GE(bar.close, 100) << "the price of a running bar, slot " << slot_of(bar);
    EXPECT_LE(bar.close, 100 + of(slot_of(bar)).versions);
  }

  const std::deque<Truth>& truth_;
};

}  // namespace atcd::feeds::testing::ledger
