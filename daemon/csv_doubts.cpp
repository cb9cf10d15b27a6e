#include "daemon/csv_doubts.hpp"

namespace atcd::daemon {

void CsvDoubts::take(const CsvBars& bars, std::size_t begin) {
  if (bars.open_ms.size() <= begin) return;
  if (!first_open_ms_) first_open_ms_ = bars.open_ms[begin];
  last_open_ms_ = bars.open_ms.back();
}

std::int64_t CsvDoubts::whole_from_ms(const LiveAnchors& anchors) const {
  const engine::AnchorRule& rule = anchors.rule;
  const std::int64_t first = anchors.interval.ordinal(*first_open_ms_);
  // The rule has no fixed anchor here.
  const auto segment =
      *engine::segment_of(rule, anchors.interval, engine::anchor_phase(anchors.series, rule.anchor_period),
                          first + rule.history_bars);
  return anchors.interval.open_time_ms(segment.anchor_ordinal >= first ? segment.first_ordinal
                                                                       : segment.end_ordinal);
}

std::string CsvDoubts::running(const engine::Interval& interval, std::int64_t now_ms) const {
  if (!first_open_ms_) return {};
  const std::int64_t close_ms = interval.close_time_ms(last_open_ms_);
  if (close_ms <= now_ms) return {};
  return "its last bar ends at " + std::to_string(close_ms) +
         ", in the future: it has not closed, and live publishes no signal of it yet";
}

}  // namespace atcd::daemon
