#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/interval.hpp"
#include "feeds/exchange.hpp"

namespace atcd::feeds {

/// The exchange's own interval whose REST rows an interval's bars are made of: itself where the exchange
/// offers it, else the longest one that divides it. Empty: it can't be had.
std::optional<engine::Interval> rows_from(const Exchange& exchange, const engine::Interval& interval);

/// The intervals in use of which it is made up exactly, the longest first, without itself.
std::vector<engine::Interval> usual_parts_of(const engine::Interval& interval);

/// The same for frames. Where the exchange does not offer it, the shortest of those that are subscribed
/// anyway, if one of them divides it.
std::optional<engine::Interval> frames_from(const Exchange& exchange, const engine::Interval& interval,
                                            std::span<const engine::Interval> subscribed);

/// How many bars of the interval Feed::fetch_history gives at once, at least 2. Folded ones count as many as
/// their parts.
std::int64_t history_rows_per_request(const Exchange& exchange, const engine::Interval& interval);
/// How many bars of the interval can be had at all; INT64_MAX: all.
std::int64_t history_depth(const Exchange& exchange, const engine::Interval& interval);
/// What so many bars of a symbol weigh, in pages as large as they may be.
double history_weight(const Exchange& exchange, const engine::Interval& interval, std::int64_t bars);

/// The first slot that an exchange is asked for: none has bars of before 1970, and they refuse such times.
/// History that a long interval wants may begin before it: there it is known to be empty.
inline std::int64_t first_slot_of_all(const engine::Interval& interval) { return interval.ordinal(0) + 1; }

/// "1m, 5m, 1h": what the exchange offers, for error messages.
std::string offered_intervals(const Exchange& exchange);

}  // namespace atcd::feeds
