#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "daemon/compute_options.hpp"
#include "daemon/csv_table.hpp"
#include "engine/interval.hpp"

namespace atcd::daemon {

/// Adds the next bars, at most so many, to those that are there; fewer: those were the last. A sentence where
/// they can't be had; empty when all is well.
using ReadBars = std::function<std::string(std::size_t most, CsvBars& bars)>;
/// Takes the output as it comes, in pieces of whole rows; false: it takes no more.
using WriteText = std::function<bool(std::string_view)>;

/// As many bars, or fewer, are computed as a whole, and nothing is written where they are refused.
inline constexpr std::size_t kWholeBars = std::size_t{1} << 17;

/// Writes the CSV text, header included, of the signals of all bars. More than whole_bars are computed bar by
/// bar with the path's kernel as they come: memory does not grow with their number (with live anchors it
/// holds the bars since the anchor). A sentence that names the line and the value where the input is refused:
/// what lay more than whole_bars before that is written then. Path cuda needs a planner, and refuses more
/// than whole_bars: the device has no bar by bar. The options must have passed check_options().
std::string compute_csv(const ComputeOptions& options, const ReadBars& read, const WriteText& write,
                        std::size_t whole_bars = kWholeBars);

/// Why values of the bars from `begin` on, or their times, are refused: a sentence that names line and value;
/// empty when they are not. The bar before `begin`, if any, has passed.
std::string check_values(const CsvBars& bars, std::size_t begin, engine::Dialect dialect);
std::string check_times(const CsvBars& bars, std::size_t begin, const engine::Interval& interval);
/// The same where the interval is not known.
std::string check_order_of_times(const CsvBars& bars, std::size_t begin);

}  // namespace atcd::daemon
