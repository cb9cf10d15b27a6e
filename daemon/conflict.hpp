#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/bar.hpp"
#include "feeds/feed.hpp"

namespace atcd::daemon {

using feeds::kRestBehindMs;

/// What an answer of the exchange says of a closed bar about which Redis and we differ.
enum class Verdict : std::uint8_t {
  open,       // nothing: the request failed, or the row may still change
  confirmed,  // our bar is the exchange's
  wrong,      // the exchange has other prices
  lacking,    // the exchange has the bar, we have none
  absent,     // the exchange has no such bar
};

/// open/high/low/close, for people.
std::string prices(const engine::Bar& bar);

/// What is told of a closed bar in the log and the events: which one it is, and the sentence.
std::string about_bar(std::int64_t close_ms, const std::string& sentence);

/// The exchange's bar of that open time; null where there is none.
const engine::Bar* row_of(const feeds::HistoryResult& result, std::int64_t open_ms);

/// `ours`: empty where we have no such bar. A row counts when a later one exists, or the exchange's clock has
/// passed its end by the settling time. That there is no row is proven by a later one alone. Prices decide:
/// volumes of bars that were built here may differ in their last bits.
Verdict verdict(const std::optional<engine::Bar>& ours, std::int64_t open_ms,
                const feeds::HistoryResult& result, std::int64_t settling_ms);

}  // namespace atcd::daemon
