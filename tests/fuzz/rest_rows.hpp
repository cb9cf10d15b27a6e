#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/interval.hpp"
#include "feeds/exchange.hpp"

namespace atcd::testing {

/// Rows of a page in order, each a bar, or a reason; where those that are no bars are wanted too, there is
/// one in every page that is refused without them. Aborts where it is not so.
inline void check_rows(const feeds::Exchange& exchange, std::string_view body, const std::string& symbol,
                       const std::string& interval) {
  feeds::HistoryRequest request{symbol, interval, 0, 4'000'000'000'000};
  std::vector<engine::Bar> rows, with_unusable;
  std::string error, why;
  const bool read = exchange.parse_history(body, request, rows, error);
  if (read != error.empty() || (!read && !rows.empty())) std::abort();
  if (!std::all_of(rows.begin(), rows.end(), engine::is_valid)) std::abort();
  request.with_unusable = true;
  const bool read_too = exchange.parse_history(body, request, with_unusable, why);
  if (read && (!read_too || with_unusable != rows)) std::abort();
  if (read_too != why.empty() || (!read_too && !with_unusable.empty())) std::abort();
  if (!read && read_too && std::all_of(with_unusable.begin(), with_unusable.end(), engine::is_valid))
    std::abort();
  for (std::size_t i = 0; i < with_unusable.size(); ++i) {
    const std::int64_t open_ms = with_unusable[i].open_time_ms;
    const bool in_order = i == 0 || open_ms >= with_unusable[i - 1].close_time_ms;
    if (!in_order || !engine::Interval::parse(interval)->is_boundary(open_ms)) std::abort();
  }
}

}  // namespace atcd::testing
