#include "feeds/interval_source.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace atcd::feeds {
namespace {

using engine::Interval;

/// What exchanges are known to offer, shortest first.
constexpr std::array<std::string_view, 27> kUsual = {
    "1s", "5s", "10s", "15s", "30s", "1m", "2m",  "3m", "5m", "10m", "15m", "20m", "30m", "45m",
    "1h", "2h", "3h",  "4h",  "6h",  "8h", "12h", "1d", "2d", "3d",  "1w",  "1M",  "3M"};

/// Of the target, at most.
std::int64_t parts_of(const Interval& base, const Interval& target) {
  if (base == target) return 1;
  constexpr std::int64_t kDayMs = 86'400'000;
  const bool months_of_days = target.unit() == Interval::Unit::month && base.unit() != Interval::Unit::month;
  const std::int64_t length_ms =
      months_of_days ? std::int64_t{target.count()} * 31 * kDayMs : target.length_ms();
  return (length_ms + base.length_ms() - 1) / base.length_ms();
}

std::int64_t parts_of(const Exchange& exchange, const Interval& interval) {
  const auto base = rows_from(exchange, interval);
  return base ? parts_of(*base, interval) : 1;
}

}  // namespace

std::vector<Interval> usual_parts_of(const Interval& interval) {
  std::vector<Interval> parts;
  for (auto text = kUsual.rbegin(); text != kUsual.rend(); ++text) {
    const Interval part = *Interval::parse(*text);
    if (part != interval && part.divides(interval)) parts.push_back(part);
  }
  return parts;
}

std::optional<Interval> rows_from(const Exchange& exchange, const Interval& interval) {
  if (exchange.offers(interval)) return interval;
  for (auto text = kUsual.rbegin(); text != kUsual.rend(); ++text) {
    const Interval base = *Interval::parse(*text);
    if (base.divides(interval) && exchange.offers(base)) return base;
  }
  return std::nullopt;
}

std::optional<Interval> frames_from(const Exchange& exchange, const Interval& interval,
                                    std::span<const Interval> subscribed) {
  if (exchange.offers(interval)) return interval;
  std::optional<Interval> shortest;
  for (const Interval& each : subscribed) {
    const bool shorter = !shortest || each.length_ms() < shortest->length_ms();
    if (shorter && each.divides(interval) && exchange.offers(each)) shortest = each;
  }
  return shortest ? shortest : rows_from(exchange, interval);
}

std::int64_t history_rows_per_request(const Exchange& exchange, const Interval& interval) {
  return std::max<std::int64_t>(2, exchange.history_rows_per_request() / parts_of(exchange, interval));
}

std::int64_t history_depth(const Exchange& exchange, const Interval& interval) {
  const std::int64_t depth = exchange.history_depth();
  if (depth == std::numeric_limits<std::int64_t>::max()) return depth;
  return depth / parts_of(exchange, interval);
}

double history_weight(const Exchange& exchange, const Interval& interval, std::int64_t bars) {
  const Interval base = rows_from(exchange, interval).value_or(interval);
  const std::int64_t rows = exchange.history_rows_per_request();
  const std::int64_t parts = bars * parts_of(base, interval);
  const HistoryRequest page{"", base.text(), 0, base.open_time_ms(base.ordinal(0) + rows - 1), 0};
  const std::int64_t pages = (parts + rows - 1) / rows;
  return static_cast<double>(pages) * exchange.history_weight(page);
}

std::string offered_intervals(const Exchange& exchange) {
  std::string list;
  for (const std::string_view text : kUsual) {
    if (!exchange.offers(*Interval::parse(text))) continue;
    list.append(list.empty() ? "" : ", ").append(text);
  }
  return list;
}

}  // namespace atcd::feeds
