// Signals that a forming bar would give if it closed now.
#include <algorithm>
#include <utility>

#include "daemon/clock.hpp"
#include "daemon/market_series.hpp"

namespace atcd::daemon {
namespace {

// Between two previews of one series: subscribers want the newest, not each.
constexpr std::int64_t kPreviewSpacingMs = 200;

}  // namespace

void MarketSeries::preview(const engine::Bar& forming, std::int64_t received_us) {
  if (std::none_of(outputs_.begin(), outputs_.end(), [](const auto& each) { return each->provisional; }))
    return;
  const bool running = series_.interval().ordinal(forming.open_time_ms) == series_.next();
  if (!running || series_.state() != feeds::SeriesState::live) return;
  const std::int64_t now_ms = monotonic_ms();
  if (now_ms - previewed_at_ms_ < kPreviewSpacingMs) {
    waiting_preview_ = Forming{forming, received_us};
    return;
  }
  waiting_preview_.reset();
  previewed_at_ms_ = now_ms;
  for (const auto& output : outputs_) {
    if (!output->provisional) continue;
    const auto computed = output->signals.preview(history(), forming);
    if (!computed) continue;
    state::SignalRecord sent;
    sent.bar = forming;
    sent.signal = computed->signal;
    sent.prev_close_ms = series_.bars().empty() ? 0 : series_.bars().back().close_time_ms;
    sent.next_close_ms = series_.interval().close_time_ms(forming.close_time_ms);
    sent.anchor_ms = computed->anchor_ms;
    sent.received_us = received_us;
    context_.publisher.publish_forming(output->index, sent);
  }
}

/// The last of a burst is told too, though nothing comes after it.
void MarketSeries::preview_what_waits() {
  if (const auto waiting = std::exchange(waiting_preview_, std::nullopt))
    preview(waiting->bar, waiting->received_us);
}

}  // namespace atcd::daemon
