#pragma once

#include <cstddef>
#include <span>

#include "engine/bar.hpp"
#include "state/history.hpp"

namespace atcd::daemon {

/// Of one bar. Each is kept for ever, and the next anchor's engine is built anew for it: an exchange whose
/// servers differ for good is believed no more after so many.
inline constexpr std::size_t kMostTellings = 16;

/// Whether the exchange tells a closed bar otherwise than it did last: the newest of `late` that is of this
/// bar, or the bar as it was used. Prices decide.
inline bool is_news(std::span<const state::LateBar> late, const engine::Bar& used, const engine::Bar& told) {
  const engine::Bar* last = &used;
  std::size_t tellings = 0;
  for (const state::LateBar& each : late) {
    if (each.bar.open_time_ms != told.open_time_ms) continue;
    last = &each.bar;
    ++tellings;
  }
  return tellings < kMostTellings && !same_prices(*last, told);
}

}  // namespace atcd::daemon
