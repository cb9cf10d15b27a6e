#include "daemon/conflict.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace atcd::daemon {
std::string prices(const engine::Bar& bar) {
  const auto text = [](double value) {
    std::array<char, 32> digits;  // the longest shortest form of a double has 24 characters
    return std::string(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  };
  return text(bar.open) + "/" + text(bar.high) + "/" + text(bar.low) + "/" + text(bar.close);
}

std::string about_bar(std::int64_t close_ms, const std::string& sentence) {
  return "close_ms=" + std::to_string(close_ms) + " " + sentence;
}

const engine::Bar* row_of(const feeds::HistoryResult& result, std::int64_t open_ms) {
  const auto found = std::find_if(result.rows.begin(), result.rows.end(),
                                  [open_ms](const engine::Bar& row) { return row.open_time_ms == open_ms; });
  return found == result.rows.end() ? nullptr : &*found;
}

Verdict verdict(const std::optional<engine::Bar>& ours, std::int64_t open_ms,
                const feeds::HistoryResult& result, std::int64_t settling_ms) {
  if (result.error != feeds::RestError::none) return Verdict::open;
  const bool later = !result.rows.empty() && result.rows.back().open_time_ms > open_ms;
  const engine::Bar* row = row_of(result, open_ms);
  if (row == nullptr) return later ? Verdict::absent : Verdict::open;
  if (!later && result.server_time_ms < row->close_time_ms + settling_ms) return Verdict::open;
  if (!ours) return Verdict::lacking;
  return same_prices(*ours, *row) ? Verdict::confirmed : Verdict::wrong;
}

}  // namespace atcd::daemon
