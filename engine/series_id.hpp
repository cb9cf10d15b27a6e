#pragma once

#include <string>
#include <string_view>

namespace atcd::engine {

/// Names one series of signals. Symbols are the exchange's own.
struct SeriesId {
  std::string exchange;  // "binance"
  std::string market;    // "spot"
  std::string symbol;    // "BTCUSDT"
  std::string interval;  // "1m"
  std::string profile;   // "default"

  /// exchange:market:symbol:interval:profile, each part percent-encoded.
  std::string name() const;
  /// exchange:market:interval:profile, each part percent-encoded: what shares a group stream and a cluster
  /// slot.
  std::string group() const;

  bool operator==(const SeriesId&) const = default;
};

/// Percent-encodes every byte outside A-Z a-z 0-9 . _ / @ - (the form of names in Redis keys and channels).
std::string percent_encode(std::string_view text);

}  // namespace atcd::engine
