#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "engine/interval.hpp"
#include "feeds/exchange.hpp"

namespace atcd::feeds {

/// Three markets of Bybit's v5 interface. Documentation: https://bybit-exchange.github.io/docs/v5
/// ("WebSocket Stream" and "Market").
const Exchange& bybit_spot();
const Exchange& bybit_linear();
const Exchange& bybit_inverse();

/// Frames of all three have one form (feeds/bybit_frame.cpp).
std::unique_ptr<FrameParser> new_bybit_frame_parser();

struct BybitInterval {
  std::string_view ours;    // "1h"
  std::string_view theirs;  // "60"
  engine::Interval interval;
};

/// All that Bybit offers; every boundary is ours: UTC, weeks from Monday.
inline constexpr std::array<BybitInterval, 13> kBybitIntervals = {
    {{"1m", "1", {1, engine::Interval::Unit::minute}},
     {"3m", "3", {3, engine::Interval::Unit::minute}},
     {"5m", "5", {5, engine::Interval::Unit::minute}},
     {"15m", "15", {15, engine::Interval::Unit::minute}},
     {"30m", "30", {30, engine::Interval::Unit::minute}},
     {"1h", "60", {1, engine::Interval::Unit::hour}},
     {"2h", "120", {2, engine::Interval::Unit::hour}},
     {"4h", "240", {4, engine::Interval::Unit::hour}},
     {"6h", "360", {6, engine::Interval::Unit::hour}},
     {"12h", "720", {12, engine::Interval::Unit::hour}},
     {"1d", "D", {1, engine::Interval::Unit::day}},
     {"1w", "W", {1, engine::Interval::Unit::week}},
     {"1M", "M", {1, engine::Interval::Unit::month}}}};

/// The interval that `name` of them (&BybitInterval::ours or ::theirs) is `text`; null where there is none.
inline const BybitInterval* find_bybit_interval(std::string_view BybitInterval::*name,
                                                std::string_view text) {
  for (const BybitInterval& known : kBybitIntervals) {
    if (known.*name == text) return &known;
  }
  return nullptr;
}

}  // namespace atcd::feeds
