#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "engine/interval.hpp"
#include "feeds/exchange.hpp"

namespace atcd::feeds {

/// The two OKX markets. Documentation: https://www.okx.com/docs-v5/en/ ("Order Book Trading / Market Data",
/// "Public Data", "WebSocket").
const Exchange& okx_spot();
const Exchange& okx_swap();

/// Frames of both have one form (feeds/okx_frame.cpp).
std::unique_ptr<FrameParser> new_okx_frame_parser();

/// One bar length by both names: a channel is "candle" and the name that REST knows as `bar`.
struct OkxInterval {
  std::string_view ours;
  std::string_view theirs;
  engine::Interval interval;
};

using OkxUnit = engine::Interval::Unit;
/// Plain bars from six hours on open in Hong Kong time, those with "utc" behind at our boundaries. 2Dutc and
/// 3Dutc are left out: which day they are counted from is written nowhere.
inline constexpr std::array<OkxInterval, 13> kOkxIntervals = {{{"1m", "1m", {1, OkxUnit::minute}},
                                                               {"3m", "3m", {3, OkxUnit::minute}},
                                                               {"5m", "5m", {5, OkxUnit::minute}},
                                                               {"15m", "15m", {15, OkxUnit::minute}},
                                                               {"30m", "30m", {30, OkxUnit::minute}},
                                                               {"1h", "1H", {1, OkxUnit::hour}},
                                                               {"2h", "2H", {2, OkxUnit::hour}},
                                                               {"4h", "4H", {4, OkxUnit::hour}},
                                                               {"6h", "6Hutc", {6, OkxUnit::hour}},
                                                               {"12h", "12Hutc", {12, OkxUnit::hour}},
                                                               {"1d", "1Dutc", {1, OkxUnit::day}},
                                                               {"1w", "1Wutc", {1, OkxUnit::week}},
                                                               {"1M", "1Mutc", {1, OkxUnit::month}}}};

inline constexpr std::string_view kOkxCandle = "candle";
inline constexpr std::string_view kOkxTrades = "trades";

/// Null for an interval that is not offered.
inline const OkxInterval* okx_interval(std::string_view ours) {
  for (const OkxInterval& each : kOkxIntervals) {
    if (each.ours == ours) return &each;
  }
  return nullptr;
}

/// Null for a channel of another kind, or of bars that we do not offer.
inline const OkxInterval* okx_candle_channel(std::string_view channel) {
  if (!channel.starts_with(kOkxCandle)) return nullptr;
  channel.remove_prefix(kOkxCandle.size());
  for (const OkxInterval& each : kOkxIntervals) {
    if (each.theirs == channel) return &each;
  }
  return nullptr;
}

}  // namespace atcd::feeds
